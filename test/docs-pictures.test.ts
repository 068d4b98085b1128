// The pictures of the docs. Whether they still show the dashboard is asked by test/browser/screenshots.test.ts.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { packageRoot } from '../src/package-root.js';

const MOST_BYTES = 600_000;
const folder = join(packageRoot, 'docs', 'pictures');
const files = readdirSync(folder);
const pictures = files.filter((name) => name.endsWith('.webp')).sort();

t.test('each picture is shown by a document, and each that is shown is there', async (t) => {
  const docs = readdirSync(join(packageRoot, 'docs')).filter((name) => name.endsWith('.md'));
  const texts = ['README.md', ...docs.map((name) => join('docs', name))].map((path) =>
    readFileSync(join(packageRoot, path), 'utf8'),
  );
  const shown = texts.flatMap((text) => [...text.matchAll(/!\[[^\]]+\]\((?:docs\/)?pictures\/([^)]+)\)/g)]);
  t.same([...new Set(shown.map(([, name]) => name))].sort(), pictures);
});

t.test('each picture has its words beside it, by which a test tells whether it has aged', async (t) => {
  t.same(
    files.filter((name) => !pictures.includes(name)).sort(),
    pictures.map((name) => name.replace(/webp$/, 'txt')),
    'npm run screenshots makes both',
  );
});

t.test(`together they take less than ${MOST_BYTES} bytes`, async (t) => {
  const bytes = pictures.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  t.ok(bytes < MOST_BYTES, `${bytes} bytes`);
});
