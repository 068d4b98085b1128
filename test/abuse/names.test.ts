// Keys of a project that reach for the hostname of another one, and for hosts that are not theirs.
import t from 'tap';
import { CallersBeside, makeProjectKey, startSmallService } from '../helpers/beside.js';
import { ADMIN, bearer } from '../helpers/keys.js';

t.setTimeout(60_000);

const HOSTNAME = 'www.corp.example';
const ROUNDS = 25;

const service = await startSmallService(t);

t.test('whoever waits for the hostname of another project never gets its traffic', async (t) => {
  await service.call('PATCH', '/v1/ranges/3100', { reuseCooldownSeconds: 60 }, { headers: ADMIN });
  const owner = { headers: bearer(await makeProjectKey(service, 'consilio')) };
  const stranger = { headers: bearer(await makeProjectKey(service, 'openhorizon')) };
  const WWW = '/v1/projects/consilio/services/www';
  const wanted = { cloudflareHostname: HOSTNAME };
  const { body: owned } = await service.call('PUT', WWW, wanted, owner);
  const beside = await CallersBeside.start(service);

  let stop = false;
  const statuses: Record<string, number> = {};
  /** Sets the hostname for one port after another, and again for those that wait. */
  const reach = async (name: string) => {
    const path = `/v1/projects/openhorizon/services/${name}`;
    while (!stop) {
      const { status, body } = await service.call('PUT', path, wanted, stranger);
      const answered = `${status} ${body.warnings ? 'withheld' : 'routed'}`;
      statuses[answered] = (statuses[answered] ?? 0) + 1;
    }
  };
  const routedTo: Record<string, number> = {};
  const watch = async () => {
    const options = { headers: ADMIN };
    const url = `${await service.url}/v1/exports/cloudflared`;
    while (!stop) {
      const text = await (await fetch(url, options)).text();
      const [, port = 'nobody'] = new RegExp(`${HOSTNAME}\\s+service: http://localhost:(\\d+)`).exec(text) ?? [];
      routedTo[port] = (routedTo[port] ?? 0) + 1;
    }
  };
  const working = [reach('a'), reach('b'), reach('c'), watch()];
  for (let round = 0; round < ROUNDS; round++) {
    await service.call('DELETE', WWW, undefined, owner);
    const { status, body } = await service.call('PUT', WWW, wanted, owner);
    if (status !== 201 || body.warnings || body.port !== owned.port) t.fail(`${status} ${JSON.stringify(body)}`);
  }
  stop = true;
  await Promise.all(working);

  t.same(Object.keys(statuses).sort(), ['200 withheld', '201 withheld'], JSON.stringify(statuses));
  t.same(
    Object.keys(routedTo).filter((port) => port !== 'nobody'),
    [String(owned.port)],
    `the exports routed it to its owner or to nobody: ${JSON.stringify(routedTo)}`,
  );
  t.comment(`${JSON.stringify({ statuses, routedTo, beside: await beside.stop(t) })}`);
});

t.test('a key that is limited to hosts and hostnames brings no other one into an export', async (t) => {
  const limited = { role: 'project', projects: ['health-agent'], hostnames: ['health.example'], hosts: ['localhost'] };
  const { body } = await service.call('POST', '/v1/api-keys', { name: 'limited', ...limited }, { headers: ADMIN });
  const options = { headers: bearer(body.key) };
  const hosts = [
    '169.254.169.254',
    '[::ffff:169.254.169.254]',
    '::ffff:a9fe:a9fe',
    'metadata.google.internal',
    '10.0.0.1',
  ];
  for (const host of hosts) {
    const path = `/v1/projects/health-agent/services/x?host=${encodeURIComponent(host)}`;
    const { status, body } = await service.call('PUT', path, { serviceType: 'ssh' }, options);
    t.match({ status, code: body.code }, { status: 403, code: 'forbidden' }, host);
  }
  for (const cloudflareHostname of [HOSTNAME, '*.corp.example', 'xhealth.example', 'health.example.corp.example']) {
    const { body } = await service.call('PUT', '/v1/projects/health-agent/services/x', { cloudflareHostname }, options);
    t.equal(body.code, 'forbidden', cloudflareHostname);
  }
  const answer = await fetch(`${await service.url}/v1/exports/cloudflared`, options);
  t.equal(await answer.text(), 'ingress:\n  - service: http_status:404\n');
});
