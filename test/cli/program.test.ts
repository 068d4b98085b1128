// The command line itself: help, wrong usage, the forms of a failure.
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { packageRoot } from '../../src/package-root.js';
import { callCli } from '../helpers/cli.js';

t.test('help and version are answers', async (t) => {
  const help = await callCli(['--help']);
  t.match(help, { code: 0, stdout: /^Usage: port-allocator .*Ports:\n.* {2}ls /s, stderr: '' });
  t.match(await callCli(['--version']), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/, stderr: '' });
  const ls = await callCli(['ls', '--help']);
  t.match(ls, { code: 0, stdout: /Usage: port-allocator ls .*Global Options:.*--json.*Examples:/s, stderr: '' });
  t.equal((await callCli(['help', 'ls'])).stdout, ls.stdout);
});

t.test('without a command the help is no answer', async (t) => {
  const help = await callCli(['--help']);
  t.same(await callCli([]), { code: 2, signal: null, stdout: '', stderr: help.stdout });
});

t.test('a wrong command line is told in two lines, with what was most likely meant', async (t) => {
  const wrong = async (...args: string[]) => {
    const { code, stdout, stderr } = await callCli(args);
    t.same([code, stdout], [2, ''], args.join(' '));
    return stderr;
  };
  t.equal(await wrong('lss'), "Unknown command 'lss'.\nDid you mean ls? See port-allocator --help.\n");
  t.equal(await wrong('frobnicate'), "Unknown command 'frobnicate'.\nSee port-allocator --help.\n");
  t.equal(await wrong('ls', '--al'), "Unknown option '--al'.\nDid you mean --all? See port-allocator ls --help.\n");
  t.match(await wrong('--project', 'ls', 'ls', '--nonsense'), /See port-allocator ls --help\.\n$/);
  t.match(await wrong('ls', '--project'), /^Option '--project <name>' argument missing\.\n/);
});

t.test('with --json a failure is a document on stdout besides', async (t) => {
  const { code, stdout, stderr } = await callCli(['ls', '--json', '--al']);
  t.equal(code, 2);
  t.same(JSON.parse(stdout), {
    code: 'usage',
    detail: "Unknown option '--al'.",
    nextStep: 'Did you mean --all? See port-allocator ls --help.',
  });
  t.equal(stderr, "Unknown option '--al'.\nDid you mean --all? See port-allocator ls --help.\n");
});

t.test('a variable that cannot be used is named', async (t) => {
  const { code, stderr } = await callCli(['ls'], { variables: { PORT_ALLOCATOR_URL: 'localhost' } });
  t.equal(code, 2);
  t.match(stderr, /^PORT_ALLOCATOR_URL: "localhost" is no address of a service\.\nSet it to .*\n$/);
  const key = await callCli(['ls'], { variables: { PORT_ALLOCATOR_API_KEY: 'pa_a\nb' } });
  t.equal(key.code, 2);
  t.match(key.stderr, /^PORT_ALLOCATOR_API_KEY has a character that is in no key.*\nSet it to the key alone\.\n$/);
});

t.test('a URL with a password is refused, and not shown', async (t) => {
  for (const url of ['http://me:hunter2@localhost:8080', 'http://:hunter2@localhost:8080']) {
    const { code, stdout, stderr } = await callCli(['ls', '--json'], { variables: { PORT_ALLOCATOR_URL: url } });
    t.equal(code, 2);
    t.match(stderr, /^PORT_ALLOCATOR_URL has a user name or a password in it.*\nLeave them out.*\n$/);
    t.notMatch(stdout + stderr, /hunter2/);
  }
});

t.test('a reader that leaves early breaks nothing', async (t) => {
  const shell = 'node dist/src/cli/index.js --help | true; exit $PIPESTATUS';
  const { status, stderr } = spawnSync('bash', ['-c', shell], { cwd: packageRoot, encoding: 'utf8' });
  t.same([status, stderr], [0, '']);
});
