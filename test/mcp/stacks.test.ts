import { createServer } from 'node:net';
import t from 'tap';
import { makeApp } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

t.test('tools for stacks, reservations and what is running', async (t) => {
  const url = await listenMcp(await makeApp(t, await openPostgres(t)));
  const client = await closeAtEnd(t, (clients[0] as (typeof clients)[0]).overHttp(url));
  const call = (name: string, input: object) => client.callTool({ name, arguments: input as Record<string, unknown> });
  const ask = async (name: string, input: object) => (await call(name, input)).structuredContent;
  const refusal = async (name: string, input: object): Promise<string> => (await call(name, input)).content[0].text;

  t.test('a stack gets all its ports in one call, is listed, and releases them', async (t) => {
    const stack = { project: 'odin', environment: 'feature-x' };
    const services = ['web', 'api'];
    const { structuredContent, content } = await call('get-environment-ports', { ...stack, services });
    const { items } = structuredContent;
    t.same(items, [
      { service: 'web', port: 3300 },
      { service: 'api', port: 3301 },
    ]);
    t.equal(content[0].text, 'odin (environment feature-x):\nWEB_PORT=3300\nAPI_PORT=3301');
    t.same((await ask('get-environment-ports', { ...stack, services })).items, items);
    t.match((await ask('list-environments', { project: 'odin' })).items, [
      { environment: 'feature-x', allocatedPorts: 2 },
    ]);
    t.equal((await ask('release-environment', stack)).items.length, 2);
    t.same((await ask('release-environment', stack)).items, []);
    await ask('allocate-port', { ...stack, service: 'dns', protocol: 'both' });
    const elsewhere =
      /^Released 3300 \(dns\) of environment feature-x of odin\.\nIt still holds 3300 \(dns, udp on localhost\): call/;
    t.match(await refusal('release-environment', stack), elsewhere);
    t.match(
      await refusal('release-environment', stack),
      /^Nothing is held for .*\nIt still holds 3300 \(dns, udp on localhost\)/,
    );
    t.equal((await ask('release-environment', { ...stack, protocol: 'udp' })).items.length, 1);
    t.match(
      await refusal('get-environment-ports', { ...stack, services: ['web', 'web'] }),
      /^validation-failed: .*listed twice/,
    );
  });

  t.test('a reservation is made, claimed and cancelled', async (t) => {
    const first = await ask('reserve-port', { project: 'odin', ttlSeconds: 60, reservedBy: 'agent' });
    t.match(first, { port: 3300, status: 'active' });
    t.match(await refusal('claim-reservation', { id: first.id }), /^validation-failed: .*service/);
    const claimed = await ask('claim-reservation', { id: first.id, service: 'web' });
    t.match(claimed, { port: 3300, service: 'web' });
    t.equal((await ask('claim-reservation', { id: first.id, service: 'web' })).id, claimed.id);
    const second = await ask('reserve-port', { project: 'odin', ttlSeconds: 60, port: 3350 });
    t.equal((await ask('cancel-reservation', { id: second.id })).status, 'cancelled');
    t.match(
      await refusal('claim-reservation', { id: second.id, service: 'web' }),
      /^reservation-ended: .*\nNext: reserve-port/s,
    );
  });

  t.test('allocate-port takes the number that was reserved, for the project of the reservation', async (t) => {
    const { id, port } = await ask('reserve-port', { project: 'odin', ttlSeconds: 60, protocol: 'udp' });
    const demo = { service: 'demo', reservationId: id };
    t.match(
      await refusal('allocate-port', { ...demo, project: 'consilio' }),
      /^validation-failed: \/reservationId is of project odin, and not consilio\n/,
    );
    t.match(
      await refusal('allocate-port', { ...demo, project: 'odin', port }),
      /^validation-failed: \/port cannot be given beside reservationId\n/,
    );
    const claimed = await ask('allocate-port', { ...demo, project: 'odin' });
    t.match(claimed, { port, service: 'demo', protocol: 'udp' });
    t.same(await ask('allocate-port', { ...demo, project: 'odin' }), claimed);
    const taken = await ask('reserve-port', { project: 'odin', ttlSeconds: 60 });
    t.match(
      await refusal('allocate-port', { project: 'odin', service: 'demo', port: taken.port }),
      new RegExp(
        `^port-taken: .*\\nNext: if that reservation is yours, call allocate-port with reservationId ${taken.id};`,
      ),
    );
  });

  t.test('an import adopts ports, after a dry run that changes nothing', async (t) => {
    const items = [{ port: 3260, service: 'grafana' }, { port: 70 }];
    const outcomes = (answer: { items: { outcome: string }[] }) => answer.items.map(({ outcome }) => outcome);
    t.same(outcomes(await ask('import-ports', { items, dryRun: true })), ['adopted', 'outside']);
    t.equal((await ask('describe-port', { port: 3260 })).state, 'free');
    t.same(outcomes(await ask('import-ports', { items })), ['adopted', 'outside']);
    t.same(outcomes(await ask('import-ports', { items })), ['held', 'outside']);
  });

  t.test('an audit tells what runs and what does not', async (t) => {
    const server = createServer().listen(3400, '127.0.0.1');
    t.teardown(() => server.close());
    const up = await ask('allocate-port', { project: 'health-agent', service: 'up', port: 3400 });
    await ask('allocate-port', { project: 'health-agent', service: 'down', port: 3401 });
    const audit = await ask('audit-ports', { project: 'health-agent' });
    t.match(audit, { allocated: 2, inUse: 1, notRunning: 1, health: 50 });
    t.match(audit.conflicts, [{ kind: 'not-running', port: 3401, service: 'down' }]);
    t.match((await ask('list-ports', { project: 'health-agent' })).items[0], { id: up.id, status: 'in_use' });
    const squatter = createServer().listen(3402, '127.0.0.1');
    t.teardown(() => squatter.close());
    await call('release-port', { project: 'health-agent', service: 'down' });
    const found = await call('audit-ports', { project: 'health-agent', unallocated: true });
    t.match(found.content[0].text, /\n3402 {2}Nobody holds port 3402 .* Found: .+\.$/);
    t.match(found.structuredContent.conflicts, [{ kind: 'squatter', port: 3402, actual: String }]);
    t.match(await refusal('audit-ports', { host: '169.254.0.1' }), /^not-probeable: .*\nNext: leave `host` out/s);
  });
});
