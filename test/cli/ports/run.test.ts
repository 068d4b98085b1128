// What a command that is run gets, and how it ends.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { CLI, openShop } from '../../helpers/cli.js';

const { pa, folder, variables } = await openShop(t);

/** Prints the variables that a pattern matches, and its arguments. */
const show = (pattern: string) => [
  process.execPath,
  '-e',
  `for (const name of Object.keys(process.env).sort()) if (/${pattern}/.test(name)) console.log(name + '=' + process.env[name]);
   for (const argument of process.argv.slice(1)) console.log(argument)`,
];
const exit = (code: number) => [process.execPath, '-e', `process.exit(${code})`];

t.test('the command gets the port of its service, and those that the environment holds besides', async (t) => {
  t.match(await pa(['run', 'web', '--', ...show('PORT$')]), {
    code: 0,
    stdout: 'PORT=3600\nWEB_PORT=3600\n',
    stderr: '',
  });
  t.equal(
    (await pa(['run', 'web-api', '--', ...show('PORT$')])).stdout,
    'PORT=3601\nWEB_API_PORT=3601\nWEB_PORT=3600\n',
  );
  t.equal((await pa(['run', '--', ...show('^PORT$')])).stdout, 'PORT=3600\n', 'left out, it is web');
});

t.test('placeholders in arguments are replaced, and other braces stay as they are', async (t) => {
  const words = ['--port={port}', '{url}', '{web-api.port}', '{web.url}', '{project}/{environment}'];
  const kept = ['{print $1}', '$' + '{port}', '{nosuch.port}', '{}', '{"port":1}', '{web.host}', '--', '--json'];
  const { stdout } = await pa(['run', 'web', '--', ...show('^$'), '--', ...words, ...kept]);
  const filled = ['--port=3600', 'http://localhost:3600', '3601', 'http://localhost:3600', 'shop/default'];
  t.same(stdout.trimEnd().split('\n'), [...filled, ...kept]);
});

t.test('a PORT that is set already is replaced, and everything else is handed on', async (t) => {
  const given = { PORT: '8080', OTHER_PORT: '1', PORT_ALLOCATOR_VERY_OWN: 'kept' };
  const { stdout, stderr } = await pa(['run', 'web', '--verbose', '--', ...show('PORT$|OWN$')], { variables: given });
  t.match(stdout, /^OTHER_PORT=1\nPORT=3600\nPORT_ALLOCATOR_VERY_OWN=kept\n/);
  t.match(
    stderr,
    /^Project shop, .*\nEnvironment default, .*\nweb of shop \(environment default\): 3600\nReplaced: PORT\.\n$/,
  );
  const echo = [process.execPath, '-e', 'process.stdin.pipe(process.stdout)'];
  t.equal((await pa(['run', 'web', '--', ...echo], { input: 'as it is\n' })).stdout, 'as it is\n');
});

t.test('the exit code is that of the command', async (t) => {
  for (const code of [0, 1, 3, 42, 255]) t.equal((await pa(['run', 'web', '--', ...exit(code)])).code, code);
});

t.test('a command that was ended by a signal ends the run by the same signal', async (t) => {
  const raise = (signal: string) => [
    process.execPath,
    '-e',
    `process.kill(process.pid, '${signal}'); setTimeout(() => {}, 9e3)`,
  ];
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL', 'SIGHUP']) {
    t.match(await pa(['run', 'web', '--', ...raise(signal)]), { code: null, signal }, signal);
  }
  const aborted = await pa(['run', 'web', '--', 'bash', '-c', 'ulimit -c 0; kill -ABRT $$']);
  t.equal(aborted.code, 128 + constants.signals.SIGABRT, 'a signal that dumps memory is told as a shell does');
});

t.test('a command that cannot be started is told in two lines', async (t) => {
  t.match(await pa(['run', 'web', '--', 'nosuch-command', 'x']), {
    code: 127,
    stdout: '',
    stderr: 'The command "nosuch-command" was not found.\nCheck its spelling, and that it is on the PATH.\n',
  });
  const file = join(folder, 'plain-file');
  await writeFile(file, 'echo');
  await chmod(file, 0o644);
  t.match(await pa(['run', 'web', '--', file]), {
    code: 126,
    stdout: '',
    stderr: /^The command ".*plain-file" .*\nCheck .*\n$/,
  });
});

t.test('a wrong command line runs nothing, and gets no port', async (t) => {
  const example = async (...args: string[]) => {
    const { code, stdout, stderr } = await pa(args);
    t.match([code, stdout], [2, '']);
    return stderr.split('\n')[1];
  };
  t.equal(await example('run'), 'Write it such as: pa run web -- npm start');
  t.equal(await example('run', 'api', '--'), 'Write it such as: pa run api -- npm start');
  t.equal(await example('run', 'api', 'npm', 'test'), 'Write it such as: pa run api -- npm test');
  const unnamed = 'Write it such as: pa run -- npm start, or with a service: pa run web -- npm start';
  t.equal(await example('run', 'npm', 'start'), unnamed);
  t.match(await pa(['run', 'Foo/bar', '--', ...exit(0)]), {
    code: 2,
    stderr: /^The service is "Foo\/bar".* Try foo-bar-\w{4}\.\n$/,
  });
  t.notMatch((await pa(['ls'])).stdout, / api |foo/);
});

t.test('without a service the command is not run', async (t) => {
  const unreachable = { PORT_ALLOCATOR_URL: 'http://127.0.0.1:1' };
  t.match(await pa(['run', 'web', '--', ...exit(0)], { variables: unreachable }), { code: 3, stdout: '' });
});

t.test('signals are passed on, each once', async (t) => {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT'] as const;
  const script = `for (const signal of ${JSON.stringify(signals)}) process.on(signal, () => console.log(signal));
    process.stdin.resume().on('end', () => process.exit(9)); console.log('ready')`;
  const child = spawn(process.execPath, [CLI, 'run', 'web', '--', process.execPath, '-e', script], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...variables },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  t.equal((await lines.next()).value, 'ready');
  for (const signal of signals) {
    child.kill(signal);
    t.equal((await lines.next()).value, signal);
  }
  child.stdin.end();
  const [[code], stderr] = await Promise.all([once(child, 'exit'), text(child.stderr)]);
  t.same([code, stderr, (await lines.next()).done], [9, '', true]);
});
