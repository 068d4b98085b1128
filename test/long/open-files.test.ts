// The service in a process that may have few files and sockets open.
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { createDatabase, makeSeededDir } from '../helpers/database.js';
import { listen } from '../helpers/listeners.js';
import { type Service, startService } from '../helpers/service.js';

const LIMIT = 300;
const HOST = '127.0.0.91';
/** The ranges that are seeded, all of them 100 ports but the last. */
const RANGES = [3000, 3100, 3200, 3300, 3400, 3500, 9000];
const skip = process.platform === 'linux' ? false : 'the test counts descriptors in /proc';

/** A client that keeps its connection. */
class Client {
  #answers = 0;
  #waiting: (() => void)[] = [];
  isCut = false;

  constructor(readonly socket: Socket) {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      this.#answers += data.toString('latin1').split('HTTP/1.1 200').length - 1;
      this.#wake();
    });
    socket.on('close', () => {
      this.isCut = true;
      this.#wake();
    });
  }

  /** @returns whether it was answered; false if the connection was cut */
  async ask(path: string): Promise<boolean> {
    const before = this.#answers;
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    while (this.#answers === before && !this.isCut) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return !this.isCut;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

async function openClients(t: Test, service: Service, count: number): Promise<Client[]> {
  const port = Number(new URL(await service.url).port);
  return Array.from({ length: count }, () => {
    const socket = connect({ host: '127.0.0.1', port });
    t.teardown(() => socket.destroy());
    return new Client(socket);
  });
}

/** Lists those that still have their connection after a request. */
async function findServed(clients: Client[]): Promise<Client[]> {
  const answered = await Promise.all(clients.map((client) => client.ask('/livez')));
  return clients.filter((_, i) => answered[i]);
}

const countOpen = ({ child }: Service) => readdirSync(`/proc/${child.pid}/fd`).length;

const databases: [string, (t: Test) => Promise<Record<string, string>>][] = [
  ['PostgreSQL', async (t) => ({ DATABASE_URL: await createDatabase(t, process.env.TEST_TEMPLATE) })],
  ['the embedded database', async (t) => ({ DATA_DIR: await makeSeededDir(t) })],
];

for (const [name, prepare] of databases) {
  t.test(`with ${LIMIT} open files, on ${name}, every port is judged and every client served`, { skip }, async (t) => {
    const variables = { ...(await prepare(t)), PROBE_TARGETS: `localhost=${HOST}`, SEED_ON_START: 'true' };
    const service = await startService(t, variables, LIMIT).ready();
    const [, probes, connections] =
      /PROBE_CONCURRENCY 256 → (\d+) because the process may have 300 open files .*there may be (\d+) connections/.exec(
        service.output(),
      ) ?? [];
    t.ok(Number(probes) >= 10 && Number(connections) > 150, `${probes} probes, ${connections} connections`);

    // In each range: 40 held ports, of which 20 are listened on, and 60 others, of which 30 are.
    const squatters: number[] = [];
    for (const start of RANGES) {
      const { body } = await service.call('GET', `/v1/ports/${start}`);
      const services = Array.from({ length: 40 }, (_, i) => ({ service: `s-${i}` }));
      const put = await service.call('PUT', `/v1/projects/${body.range.project}/environments/default`, { services });
      t.equal(put.status, 201);
      for (let i = 0; i < 20; i++) await listen(t, HOST, start + i);
      for (let i = 40; i < 70; i++) {
        await listen(t, HOST, start + i);
        squatters.push(start + i);
      }
    }
    const audit = async () => {
      const { status, body } = await service.call('POST', '/v1/audits', { host: 'localhost', unallocated: true });
      const of = (kind: string) =>
        body.conflicts.filter((one: { kind: string }) => one.kind === kind).map(({ port }: { port: number }) => port);
      t.equal(status, 200);
      t.match(body, { allocated: 280, inUse: 140, notRunning: 140, health: 50, checkedPorts: 1600 });
      t.same(of('squatter'), squatters);
      t.same([...of('not-judged'), ...of('unreachable')], []);
    };

    const clients = await openClients(t, service, 150);
    t.equal((await findServed(clients)).length, 150);
    await Promise.all([audit(), ...Array.from({ length: 20 }, () => findServed(clients))]);
    t.equal((await findServed(clients)).length, 150, 'nobody was cut');
    t.ok(countOpen(service) < LIMIT, `${countOpen(service)} open`);

    // Connections beyond the bound are cut, and take nothing from the probes, the database, or files that are read.
    const more = await openClients(t, service, 500);
    await findServed(more);
    clients.pop()?.socket.destroy(); // for the audit's own request
    await Promise.all([audit(), findServed(clients)]);
    t.ok(countOpen(service) < LIMIT, `${countOpen(service)} open`);
    t.equal((await findServed(clients)).length, 149);
    t.notMatch(service.output(), /EMFILE|"level":[56]0/);
    t.equal(await service.kill('SIGTERM'), 0);
  });
}

t.test('a service that may have too few open files says so, and does not start', async (t) => {
  const cases: [Record<string, string>, number][] = [
    [{ DATA_DIR: await makeSeededDir(t) }, 136],
    [{ DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none', DATABASE_POOL_SIZE: '10' }, 84],
  ];
  for (const [variables, least] of cases) {
    const service = startService(t, variables, 64);
    t.equal(await service.exited, 1);
    t.match(
      service.output(),
      `This process may have 64 open files (ulimit -n), and the service needs at least ${least}. Raise the limit`,
    );
    t.equal(service.output().trim().split('\n').length, 1, 'a sentence alone');
  }
});
