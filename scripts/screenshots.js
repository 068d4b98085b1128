// npm run screenshots: makes the pictures of the docs anew, by the test that otherwise compares them with the dashboard.
process.env.SCREENSHOTS = '1';
process.argv.splice(2, Number.POSITIVE_INFINITY, 'test/browser/screenshots.test.ts');
await import('./run-tests.js');
