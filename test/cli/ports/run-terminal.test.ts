// A command that is run on a terminal: the terminal is its own, with its size and its keys.
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { CLI, openShop } from '../../helpers/cli.js';
import { startOnTerminal } from '../../helpers/terminal.js';

const { folder, variables } = await openShop(t);
const CTRL_C = '\x03';
const CTRL_Z = '\x1a';
/** In this time a signal that is doubled would have arrived. */
const SETTLE_MS = 500;

const run = (t: Test, script: string) =>
  startOnTerminal(t, [process.execPath, CLI, 'run', 'web', '--', process.execPath, '-e', script], variables, folder);

t.test('on a terminal the port is told, and the command has the terminal', async (t) => {
  const script = `const show = () => console.log(['size', process.stdout.columns, process.stdin.isTTY, process.stderr.isTTY].join(' '));
    show(); process.stdout.on('resize', show); process.stdin.once('data', (line) => process.exit(line.length))`;
  const terminal = run(t, script);
  await terminal.until(/^web of shop \(environment default\): 3600\r\nsize 10000 true true/);
  terminal.resize(77);
  await terminal.until(/size 77 true true/);
  terminal.type('12345\r');
  t.match(await terminal.endedWithin(10_000), { exitCode: 6 });
});

t.test('Ctrl-C reaches the command once each time, and does not end the run before the command', async (t) => {
  // It says that it is ready only when it has a handler: before, the first Ctrl-C ends it.
  const script = `let count = 0; setInterval(() => {}, 1000);
    process.on('SIGINT', () => { console.log('interrupt ' + ++count); if (count === 3) process.exit(5); });
    console.log('ready')`;
  const terminal = run(t, script);
  await terminal.until(/ready/);
  for (const count of [1, 2]) {
    terminal.type(CTRL_C);
    await terminal.until(new RegExp(`interrupt ${count}`));
    await sleep(SETTLE_MS);
    t.notMatch(terminal.output(), `interrupt ${count + 1}`);
  }
  terminal.type(CTRL_C);
  t.match(await terminal.endedWithin(10_000), { exitCode: 5 });
});

t.test('a command that Ctrl-C ends, ends the run by the same signal', async (t) => {
  const terminal = run(t, `setInterval(() => {}, 1000); console.log('ready')`);
  await terminal.until(/ready/);
  terminal.type(CTRL_C);
  t.match(await terminal.endedWithin(10_000), { signal: 2 });
});

t.test('in a loop of a shell Ctrl-C ends the loop, and Ctrl-Z stops both until they are continued', async (t) => {
  const shell = startOnTerminal(t, ['bash', '--norc', '-i'], { ...variables, PS1: 'prompt> ' }, folder);
  const command = (script: string) => `node ${CLI} run web -- node -e "${script}"`;
  await shell.until(/prompt> /);
  shell.type(
    `for i in 1 2 3; do echo round $i; ${command("console.log('rea' + 'dy'); setInterval(() => {}, 1000)")}; done\r`,
  );
  await shell.until(/round 1\r\n.*ready/s);
  shell.type(CTRL_C);
  await shell.until(/ready.*prompt> $/s);
  t.notMatch(shell.output(), /round 2/);

  shell.type(`${command("console.log('sta' + 'rted'); setTimeout(() => console.log('do' + 'ne'), 1500)")}\r`);
  await shell.until(/started/);
  shell.type(CTRL_Z);
  await shell.until(/Stopped/);
  shell.type('fg\r');
  await shell.until(/done/);
  shell.type('exit\r');
  t.ok(await shell.endedWithin(10_000));
});

t.test('a terminal that is closed ends the command and the run', async (t) => {
  const terminal = run(t, `setInterval(() => {}, 1000); console.log('child ' + process.pid + '.')`);
  const [, pid] = await terminal.until(/child (\d+)\./);
  terminal.closeTerminal();
  t.ok(await terminal.endedWithin(10_000));
  await sleep(SETTLE_MS);
  t.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' });
});
