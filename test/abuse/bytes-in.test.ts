// Bodies that are announced and do not come, sent by callers without a key and by one with a key.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { CallersBeside, makeProjectKey, startSmallService } from '../helpers/beside.js';
import { ADMIN, bearer } from '../helpers/keys.js';
import { headOf, type RawRequest, sendRaw } from '../helpers/raw-request.js';

t.setTimeout(60_000);

const MIB = 1024 * 1024;
const KIB = 1024;
const IMPORT = 'POST /v1/imports?dryRun=true';
const SERVICE = '/v1/projects/consilio/services/web';
/** A body of the largest allowed size that is cheap to answer. */
const LARGE = `{"items":[{"port":80}]}`.padEnd(MIB);
/** What one key may have under way with a heap of 256 MB: a quarter of 8 MiB. */
const SHARE = 2 * MIB;

t.test('bodies that are announced and do not come take no room from others', async (t) => {
  const service = await startSmallService(t);
  const url = await service.url;
  const key = await makeProjectKey(service, 'consilio');
  const right = { Authorization: bearer(key).authorization };
  const beside = await CallersBeside.start(service, 3);
  const statusesOf = async (sent: RawRequest[]) => {
    const statuses: Record<string, number> = {};
    for (const status of await Promise.all(sent.map(({ status }) => status))) {
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
    return statuses;
  };
  /** Large bodies, and small ones for what they leave: of each the head and the first bytes, on a connection each. */
  const begin = (target: string, headers: Record<string, string>) =>
    [...Array<number>(60).fill(MIB), ...Array<number>(60).fill(16 * KIB)].map((length) =>
      sendRaw(t, url, `${headOf(target, length, headers)} `),
    );

  const cases: [target: string, headers: Record<string, string>, status: number][] = [
    ['GET /openapi.json', {}, 400],
    ['GET /livez', {}, 400],
    [`PUT ${SERVICE}`, {}, 401],
    [`PUT ${SERVICE}`, { Authorization: `Bearer ${'x'.repeat(40)}` }, 401],
    ['POST /mcp', {}, 401],
  ];
  await Promise.all(
    cases.map(async ([target, headers, status]) => {
      const sent = begin(target, headers);
      t.same(await statusesOf(sent), { [status]: 120 }, target);
      await Promise.all(sent.map(({ closed }) => closed)); // none of the connections stays open
    }),
  );

  // With a key nothing is refused, as long as only what has arrived is too much.
  const announced = begin(`PUT ${SERVICE}`, right);
  const whole = sendRaw(t, url, headOf(IMPORT, MIB, right) + LARGE);
  t.equal(await whole.status, 200, 'not even to the key itself');
  for (const one of announced) one.destroy();

  const halves = Array.from({ length: 30 }, () =>
    sendRaw(t, url, headOf(IMPORT, MIB, right) + LARGE.slice(0, MIB / 2)),
  );
  const refused: RawRequest[] = [];
  for (const one of halves) one.status.then((status) => status === 503 && refused.push(one)).catch(() => {});
  while (refused.length < 30 - SHARE / (MIB / 2)) await sleep(20);
  const refusal = await (refused[0] as RawRequest).closed;
  t.match(refusal, /"detail":"The bodies of one key or address .* 2 MiB together/);
  t.match(refusal, /^retry-after: 1\r$/im);
  t.match(refusal, /"code":"overloaded"/);
  for (const one of halves) one.destroy();

  const gone = async () => (await sendRaw(t, url, headOf(IMPORT, MIB, right) + LARGE).status) === 200;
  const deadline = performance.now() + 5000;
  while (!(await gone()) && performance.now() < deadline) await sleep(20);
  for (let i = 0; i < 10; i++) t.ok(await gone(), 'what was refused, answered or left is given back');
  t.comment(`beside: ${JSON.stringify(await beside.stop(t))}`);
  t.equal(service.child.exitCode, null);
});

t.test('bodies in chunks of one byte take neither the memory nor the event loop', async (t) => {
  const service = await startSmallService(t);
  const url = await service.url;
  const key = { Authorization: bearer(await makeProjectKey(service, 'consilio')).authorization };
  const beside = await CallersBeside.start(service);
  await sleep(1000); // until the service has warmed up
  const chunks = '1\r\n \r\n'.repeat(MIB - 100);
  const send = (target: string, headers: Record<string, string>) =>
    Array.from({ length: 5 }, () => sendRaw(t, url, headOf(target, 'chunked', headers) + chunks));
  for (const sent of [send(IMPORT, key), send(IMPORT, {}), send('GET /openapi.json', {})]) {
    for (const { closed } of sent) await closed;
  }
  t.comment(`beside: ${JSON.stringify(await beside.stop(t))}`);
  const { body } = await service.call('GET', '/metrics', undefined, { headers: ADMIN });
  const memory = Number(/^process_resident_memory_bytes (\d+)$/m.exec(String(body))?.[1]) / MIB;
  t.comment(`resident memory: ${Math.round(memory)} MiB`);
  t.ok(memory < 400);
});
