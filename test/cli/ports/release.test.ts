// Commands that look whether somebody listens.
import t from 'tap';
import { CLI, openShop } from '../../helpers/cli.js';
import { listen } from '../../helpers/listeners.js';
import { startOnTerminal } from '../../helpers/terminal.js';

const { pa, folder, variables, service } = await openShop(t);
/** A range of its own, because this test listens in it while others may run. */
const first = 20_000 + (process.pid % 100) * 100;
await service.call('POST', '/v1/ranges', { project: 'shop', startPort: first });
for (const environment of ['default', 'staging']) await pa(['port', 'web', '--environment', environment]);

t.test('who tells whose a port is, and who listens', async (t) => {
  t.match(
    (await pa(['who', String(first)])).stdout,
    /^\d+: web of shop \(environment default\), since \d{4}-\d\d-\d\d\.\nNobody listens/,
  );
  t.match(
    (await pa(['who', String(first + 50)])).stdout,
    new RegExp(`^\\d+: nobody has it; it is in the range ${first}-${first + 99} of shop\\.\\n`),
  );
  t.match((await pa(['who', '2000'])).stdout, /^2000: nobody has it; it is in no range\.\n/);
  await listen(t, '127.0.0.1', first);
  t.match((await pa(['who', String(first)])).stdout, new RegExp(`\nOn it listens node \\(pid ${process.pid}\\) in `));
  t.match(JSON.parse((await pa(['who', String(first), '--json'])).stdout), {
    port: first,
    isListening: true,
    listener: { pid: process.pid },
  });
  t.equal(
    (await pa(['who', String(first), '--protocol', 'udp'])).stdout.split('\n').length,
    2,
    'nobody listens on UDP',
  );
  t.match(await pa(['who', '70000']), { code: 2, stderr: '"70000" is no port number.\nPorts are 1 to 65535.\n' });
});

t.test('who tells who had a port last, and everybody who had it', async (t) => {
  const port = (await pa(['port', 'past'])).stdout.trim();
  await pa(['release', 'past', '--yes']);
  t.match(
    (await pa(['who', port])).stdout,
    /: nobody has it; .*\nLast held by past of shop \(environment default\) until \d{4}-.*Z, released by .+\.\n/,
  );
  t.match(JSON.parse((await pa(['who', port, '--json'])).stdout), { lastHolder: { service: 'past', project: 'shop' } });
  await pa(['port', 'present']);
  const { stdout } = await pa(['who', port, '--history']);
  t.match(
    stdout,
    /^FROM +UNTIL +FOR +ALLOCATED BY +RELEASED BY\n\S+Z +- +shop\/present \(default\) .* -\n\S+Z +\S+Z +shop\/past \(default\) .+\n$/,
  );
  const items = JSON.parse((await pa(['who', port, '--history', '--json'])).stdout);
  t.match(items, [
    { service: 'present', releasedAt: null },
    { service: 'past', releasedBy: { kind: 'anonymous' } },
  ]);
  t.match(await pa(['who', '2001', '--history']), { code: 0, stdout: '', stderr: /^Nobody has had 2001/ });
  t.notMatch((await pa(['who', port])).stdout, /Last held/, 'of a port that is held, its holder is enough');
});

t.test('release needs to be told what', async (t) => {
  t.match(await pa(['release']), {
    code: 2,
    stdout: '',
    stderr: /^What is to be released\?\nName a service \(pa release web\), or a whole environment \(.*\)\.\n$/,
  });
  t.equal(
    (await pa(['release', 'web', '--environment', 'staging'])).stdout,
    `Released ${first + 1}, web of shop (environment staging).\n`,
  );
  t.match(await pa(['release', 'web', '--environment', 'staging']), {
    code: 0,
    stdout: '',
    stderr: 'Nothing is held for web of shop (environment staging).\n',
  });
});

t.test('release of an environment releases all of it', async (t) => {
  for (const name of ['web', 'api']) await pa(['port', name, '--environment', 'feature-x']);
  await pa(['port', 'dns', '--protocol', 'udp', '--environment', 'feature-x']);
  const released = JSON.parse((await pa(['release', '--environment', 'feature-x', '--json'])).stdout);
  t.same(released.map(({ service, status }: { service: string; status: string }) => [service, status]).sort(), [
    ['api', 'released'],
    ['dns', 'released'],
    ['web', 'released'],
  ]);
  t.equal((await pa(['ls', '--environment', 'feature-x'])).stdout, '');
});

t.test('release asks where somebody listens', async (t) => {
  await listen(t, '127.0.0.1', first);
  const refused = await pa(['release', 'web']);
  t.match(refused, {
    code: 1,
    stdout: '',
    stderr: /^On \d+ \(web\) listens node \(pid \d+\).*\nNothing was changed\. Repeat it with --yes/,
  });
  for (const [answer, expected] of [
    ['n\r', /Nothing was changed/],
    ['\x03', /Nothing was changed/],
  ] as const) {
    const terminal = startOnTerminal(t, [process.execPath, CLI, 'release', 'web'], variables, folder);
    await terminal.until(/Release it all the same\? \[y\/N\]/);
    terminal.type(answer);
    t.match(await terminal.endedWithin(10_000), { exitCode: 1 });
    t.match(terminal.output(), expected);
  }
  t.match((await pa(['ls'])).stdout, /^\d+ {2}web /m);
  const terminal = startOnTerminal(t, [process.execPath, CLI, 'release', 'web'], variables, folder);
  await terminal.until(/\[y\/N\]/);
  terminal.type('y\r');
  t.match(await terminal.endedWithin(10_000), { exitCode: 0 });
  t.match(terminal.output(), /Released \d+, web of shop/);
  await pa(['port', 'web']);
  t.match(await pa(['release', 'web', '--yes']), { code: 0, stdout: /^Released \d+, web/ });
});
