// pa allocate: always a new port.
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, connect as openSocket } from 'node:net';
import { dirname, join } from 'node:path';
import t from 'tap';
import { openShop } from '../../helpers/cli.js';

const { pa, folder, service } = await openShop(t);
const { call } = service;

t.test('each time it takes a new port, and prints the number alone', async (t) => {
  t.same(await pa(['allocate', 'web']), { code: 0, signal: null, stdout: '3600\n', stderr: '' });
  t.equal((await pa(['allocate', 'web'])).stdout, '3601\n');
  t.equal((await pa(['port', 'web'])).stdout, '3600\n');
  t.match(JSON.parse((await pa(['allocate', 'web', '--environment', 'staging', '--json'])).stdout), {
    ...{ port: 3602, project: 'shop', service: 'web', environment: 'staging' },
  });
  t.equal((await pa(['allocate', 'web', '--project', 'consilio', '--host', 'db1'])).stdout, '3100\n');
});

t.test('a port by its number, or one that is preferred', async (t) => {
  t.equal((await pa(['allocate', 'db', '--port', '3632'])).stdout, '3632\n');
  t.match(await pa(['allocate', 'db', '--port', '3632']), {
    code: 1,
    stdout: '',
    stderr: /^Port 3632 .* shop\/db .*\n/,
  });
  t.equal((await pa(['allocate', 'db', '--prefer', '3633'])).stdout, '3633\n');
  t.equal((await pa(['allocate', 'db', '--prefer', '3633'])).stdout, '3603\n');
  t.match(await pa(['allocate', 'db', '--port', '3640', '--prefer', '3641']), {
    code: 2,
    stderr: '--port and --prefer ask for two things.\nLeave one of them out.\n',
  });
  t.match(await pa(['allocate', 'db', '--prefer', '0']), { code: 2, stderr: /^"0" is no port number\./ });
});

t.test('one number for TCP and UDP', async (t) => {
  t.equal((await pa(['allocate', 'dns', '--protocol', 'both'])).stdout, '3604\n');
  const { items } = JSON.parse((await pa(['allocate', 'dns', '--protocol', 'both', '--json'])).stdout);
  t.match(items, [
    { port: 3605, protocol: 'tcp' },
    { port: 3605, protocol: 'udp' },
  ]);
});

t.test('an excluded port is told about, and the number stays alone on stdout', async (t) => {
  const stderr = /^Port 3659 is excluded.*\n$/;
  t.match(await pa(['allocate', 'web', '--port', '3659']), { code: 0, stdout: '3659\n', stderr });
  t.match(await pa(['allocate', 'mail', '--protocol', 'udp', '--port', '3659']), { stdout: '3659\n', stderr });
  t.equal((await pa(['release', 'mail', '--protocol', 'udp'])).code, 0);
  t.equal((await pa(['allocate', 'web', '--prefer', '3659'])).stdout, '3606\n');
});

t.test('port, env and run tell of it on stderr too', async (t) => {
  const stderr = /^Port 3659 is excluded.*\n$/;
  const mail = ['--environment', 'mail'];
  await pa(['allocate', 'smtp', '--port', '3659', '--host', 'db1', ...mail]);
  t.match(await pa(['port', 'smtp', '--host', 'db1', ...mail]), { code: 0, stdout: '3659\n', stderr });
  t.equal((await pa(['release', 'web', '--yes'])).code, 0);
  await pa(['allocate', 'smtp', '--port', '3659', ...mail]);
  t.match(await pa(['env', ...mail]), { code: 0, stdout: 'SMTP_PORT=3659\n', stderr });
  const print = ['--', process.execPath, '-e', 'console.log(process.env.PORT)'];
  t.match(await pa(['run', 'smtp', ...mail, ...print]), { code: 0, stdout: '3659\n', stderr });
});

t.test('the port of another clone’s environment is left alone', async (t) => {
  const other = join(dirname(folder), 'other', 'shop');
  await mkdir(other, { recursive: true });
  const { environment } = JSON.parse((await pa(['allocate', 'web', '--json'], { folder: other })).stdout);
  t.match(environment, /^default-[a-z0-9]{4}$/);
});

t.test('a service that the manifest does not have is refused', async (t) => {
  const inside = join(dirname(folder), 'stack');
  await mkdir(inside);
  await writeFile(join(inside, 'ports.yaml'), 'project: stack\nservices: { web: {}, api: {} }\n');
  t.match(await pa(['allocate', 'wep'], { folder: inside }), {
    code: 2,
    stderr: /has no service wep\..*\nDid you mean web/,
  });
  t.match(await pa(['allocate'], { folder: inside }), { code: 2, stdout: '' });
  t.equal((await call('GET', '/v1/projects/stack/summary')).status, 404, 'nor was the project created');
});

t.test('an answer that is lost takes no second port', async (t) => {
  const { port } = new URL(await service.url);
  let lost = 0;
  /** Passes the first call on, and loses its answer. */
  const relay = createServer((client) => {
    const server = openSocket(Number(port), '127.0.0.1');
    let isAllocation = false;
    client.on('data', (data) => {
      isAllocation ||= String(data).startsWith('POST /v1/projects/');
      server.write(data);
    });
    server.on('data', (data) => {
      if (isAllocation && lost++ === 0) client.destroy();
      else client.write(data);
    });
    server.on('error', () => client.destroy());
    client.on('error', () => server.destroy());
    client.on('close', () => server.end());
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  t.teardown(() => relay.close());
  const url = `http://127.0.0.1:${(relay.address() as { port: number }).port}`;
  const result = await pa(['allocate', 'once', '--json'], { variables: { PORT_ALLOCATOR_URL: url } });
  t.equal(lost > 1, true);
  const { items } = (await call('GET', '/v1/allocations?project=shop&service=once')).body;
  t.same(
    items.map(({ id }: { id: string }) => id),
    [JSON.parse(result.stdout).id],
  );
});
