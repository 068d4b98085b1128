import t, { type Test } from 'tap';
import { makeApp } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

/** A new client of a new registry, which sees all tools. */
async function makeCaller(t: Test) {
  const url = await listenMcp(await makeApp(t, await openPostgres(t)));
  const client = await closeAtEnd(t, (clients[0] as (typeof clients)[0]).overHttp(`${url}?tools=all`));
  const call = (name: string, input: Record<string, unknown> = {}) => client.callTool({ name, arguments: input });
  const ask = async (name: string, input: Record<string, unknown> = {}) => (await call(name, input)).structuredContent;
  const refusal = async (name: string, input: Record<string, unknown> = {}): Promise<string> => {
    const result = await call(name, input);
    t.equal(result.isError, true);
    t.equal(result.structuredContent, undefined);
    return result.content[0].text;
  };
  const text = async (name: string, input: Record<string, unknown>): Promise<string> =>
    (await call(name, input)).content[0].text;
  return { client, ask, refusal, text };
}

t.test('tools', async (t) => {
  const { client, ask, refusal, text } = await makeCaller(t);
  const odin = (service: string, rest: object = {}) => ({ project: 'odin', service, ...rest });

  t.test('allocate-port takes a new port each time, get-port answers the lowest', async (t) => {
    t.equal((await ask('get-port', odin('web'))).port, 3300);
    t.equal((await ask('allocate-port', odin('web'))).port, 3301);
    t.equal((await ask('allocate-port', odin('web', { port: 3350 }))).port, 3350);
    t.equal((await ask('get-port', odin('web'))).port, 3300);
  });

  t.test('allocate-port can prefer a port, and take one number for TCP and UDP', async (t) => {
    const take = (input: object) => ask('allocate-port', { project: 'quiculum-monitor', service: 'dns', ...input });
    t.equal((await take({ prefer: 3553 })).port, 3553);
    t.equal((await take({ prefer: 3553 })).port, 3500, 'it is held by now');
    t.equal((await take({ protocol: 'udp' })).port, 3500);
    const both = await take({ protocol: 'both' });
    t.equal(both.port, 3501);
    const { allocation } = await ask('describe-port', { port: 3501, protocol: 'udp' });
    t.match(allocation, { id: both.udp.id, service: 'dns', protocol: 'udp' });
    const further = { project: 'quiculum-monitor', service: 'dns' };
    t.match(
      await refusal('allocate-port', { ...further, protocol: 'both', port: 3553 }),
      /^port-taken: Port 3553 on localhost\/tcp/,
    );
    t.match(await refusal('allocate-port', { ...further, port: 3560, prefer: 3561 }), /^validation-failed: \/prefer /);
    t.equal((await ask('describe-port', { port: 3560 })).state, 'free');
  });

  t.test('update-port and release-port by key act on all ports of the service, and say which', async (t) => {
    const portsOf = (answer: { items: { port: number }[] }) => answer.items.map(({ port }) => port);
    const updated = await ask('update-port', odin('web', { serviceType: 'http', metadata: '{"a":1}' }));
    t.same(portsOf(updated), [3300, 3301, 3350]);
    t.match(updated.items[1], { serviceType: 'http' });
    t.notOk('metadata' in updated.items[1]);
    t.match(await ask('describe-port', { port: 3301 }), { allocation: { metadata: { a: 1 } } });
    t.same(portsOf(await ask('release-port', odin('web'))), [3300, 3301, 3350]);
    t.same(await ask('release-port', odin('web')), { items: [] });
    t.match(await refusal('update-port', odin('web')), /^allocation-not-found: odin\/web holds no tcp port/);
  });

  t.test('update-port and release-port by id act on that one', async (t) => {
    const { id } = await ask('get-port', odin('cache'));
    const other = await ask('allocate-port', odin('cache'));
    t.equal((await ask('update-port', { id, description: 'one' })).items[0].description, 'one');
    t.equal((await ask('update-port', { id, description: null })).items[0].description, 'one', 'null is absent');
    t.equal((await ask('update-port', { id, clear: ['description'] })).items[0].description, undefined);
    t.match(
      await refusal('update-port', { id, description: 'x', clear: ['description'] }),
      /^validation-failed: \/clear has description, which is given too/,
    );
    t.equal((await ask('release-port', { id })).items[0].id, id);
    t.equal((await ask('release-port', { id })).items[0].id, id);
    t.equal((await ask('get-port', odin('cache'))).id, other.id);
    t.match(await refusal('update-port', { id, description: 'late' }), /^allocation-released: .*\nNext: call get-port/);
  });

  t.test('an id comes alone, and a project with its service', async (t) => {
    const { id } = await ask('get-port', odin('queue'));
    t.match(await refusal('release-port', { id, environment: 'default' }), /\/environment cannot be given beside id/);
    t.match(await refusal('release-port', { project: 'odin' }), /\/service is required where no id is given/);
    t.match(await refusal('update-port', {}), /\/service is required where no id is given/);
    t.match(await refusal('release-port', { service: 'queue' }), /\/project is required, or cwd: the absolute path/);
  });

  t.test('a field that describes a port is refused with the tool that takes it', async (t) => {
    const text = await refusal('get-port', odin('web', { description: 'The shop' }));
    t.match(
      text,
      /^validation-failed: \/description is not a known field\. .* Call update-port to set it, after this\./,
    );
    t.notMatch(await refusal('get-port', odin('web', { colour: 'red' })), /update-port/);
  });

  t.test('list-ports shows 25 in order, and how to get the next ones', async (t) => {
    for (let i = 0; i < 30; i += 1) await ask('get-port', { project: 'consilio', service: `s${i}` });
    const first = await ask('list-ports', { project: 'consilio' });
    t.same(
      first.items.map((item: { port: number }) => item.port),
      Array.from({ length: 25 }, (_, i) => 3100 + i),
    );
    const rest = await ask('list-ports', { project: 'consilio', cursor: first.nextCursor });
    t.equal(rest.items.length, 5);
    t.notOk('nextCursor' in rest);
    t.equal((await ask('list-ports', { project: 'consilio', service: 's7' })).items[0].port, 3107);
    t.equal(await text('list-ports', { project: 'odin', environment: 'none' }), 'No such port is held.');
    t.match(
      await text('list-ports', { project: 'consilio', service: 'x7' }),
      /^No such port is held\. Leave service out/,
    );
    t.match(
      await text('release-port', { project: 'consilio', service: 'x7' }),
      /^Nothing was held for x7 .*list-ports/,
    );
    t.match(await refusal('list-ports', { cursor: 'made-up' }), /^validation-failed: .*start without it/);
  });

  t.test('an agent can continue after a refusal', async (t) => {
    const missing = await refusal('get-port', { project: 'atlas', service: 'api' });
    t.equal(
      missing,
      'project-not-found: Project atlas has no range.\n' +
        'Next: give the name that is meant, or your working folder as cwd. If the project is new, get-port and ' +
        'get-environment-ports create it: with cwd, or with createProject true.',
    );
    t.match(await ask('create-range', { project: 'atlas' }), { startPort: 3600, endPort: 3699, project: 'atlas' });
    t.equal((await ask('get-port', { project: 'atlas', service: 'api' })).port, 3600);
    t.match(await refusal('create-range', { project: 'atlas', startPort: 3600 }), /^range-overlap: /);
    t.match(
      await refusal('allocate-port', { project: 'atlas', service: 'b', port: 3600 }),
      /^port-taken: .*atlas\/api/,
    );
    t.match(await refusal('allocate-port', { project: 'atlas', service: 'b', port: 9000 }), /^port-outside-range: /);
    t.same(
      (await ask('list-ranges', { limit: 2 })).items.map((range: { project: string }) => range.project),
      ['meta-supervisor', 'consilio'],
    );
  });

  t.test('an exhausted range says so, without sending the agent to REST', async (t) => {
    for (let i = 0; i < 100; i += 1) await ask('get-port', { project: 'openhorizon', service: `s${i}` });
    const text = await refusal('get-port', { project: 'openhorizon', service: 'one-more' });
    t.match(text, /^range-exhausted: No port of openhorizon \(3200–3299\) is free on localhost\/tcp\.\nNext: release/);
    t.notMatch(text, /\b(GET|PUT|POST)\b/);
    t.match(await ask('port-summary', { project: 'openhorizon' }), { allocatedPorts: 100, utilization: 100 });
  });

  t.test('describe-port tells whose a number is', async (t) => {
    const held = await ask('get-port', odin('named', { host: '127.0.0.1' }));
    t.notOk('host' in held, 'it is localhost');
    t.match(await ask('describe-port', { port: held.port }), { state: 'allocated', allocation: { service: 'named' } });
    t.match(await ask('describe-port', { port: 8080 }), { state: 'unmanaged' });
  });

  t.test('audit-ports shows 25 conflicts unless asked for more, and counts them all', async (t) => {
    // A project of its own, of whose services none is running.
    await ask('create-range', { project: 'quiet' });
    const services = Array.from({ length: 30 }, (_, i) => `s${i}`);
    const stack = { project: 'quiet', environment: 'default', services };
    await ask('get-environment-ports', stack);
    const audit = await ask('audit-ports', { project: 'quiet' });
    t.equal(audit.allocated, 30);
    t.equal(audit.conflicts.length, 25);
    t.same(audit.conflictCounts, { 'not-running': 30 });
    t.equal((await ask('audit-ports', { project: 'quiet', limit: 1000 })).conflicts.length, 30);
    t.match(await refusal('audit-ports', { limit: 0 }), /^validation-failed: \/limit /);
  });

  t.test('a tool that can overwrite something says so', async (t) => {
    const { tools } = await client.listTools();
    const destructive = tools.filter(({ annotations }) => annotations.destructiveHint).map(({ name }) => name);
    t.same(destructive.sort(), ['cancel-reservation', 'release-environment', 'release-port', 'update-port']);
    for (const { name, annotations } of tools) t.not(annotations.destructiveHint, undefined, `${name} says which`);
  });

  t.test('bad input changes nothing and is named', async (t) => {
    t.match(
      await refusal('get-port', odin('api', { ports: 2 })),
      /^validation-failed: \/ports is not a known field\. Known are: service, project, .*createProject\.\nNext: /,
    );
    t.match(await refusal('get-port', odin('api', { enviroment: 'x' })), /\. Did you mean environment\? Known are: /);
    t.match(await refusal('get-port', { project: 'odin' }), /\/service is required/);
    t.match(
      await refusal('get-port', { project: 'odin', servce: 'x' }),
      /: \/servce is not a known field\. Did you mean service\? Known are: service, project, /,
    );
    t.match(await refusal('get-port', { project: 'Odinn', service: 'api' }), /\/project is "Odinn", .* Try odinn\./);
    t.match(
      await refusal('get-port', { project: 'odinn', service: 'api' }),
      /^project-not-found: Project odinn has no range\. Did you mean odin\?\nNext: /,
    );
    t.match(
      await refusal('get-port', odin('Not A Name')),
      /\/service is "Not A Name", which is not a name\. Names are lower-case letters.*Try not-a-name-[a-z0-9]{4}\.\nNext: /,
    );
    t.match(await refusal('describe-port', { port: '3100' }), /\/port must be an integer/);
    t.match(
      await refusal('get-port', odin('api', { host: '256.1.1.1' })),
      /\/host must be a host name or an IP address/,
    );
    t.match(await refusal('update-port', odin('api', { metadata: '{"a":"\\u0000"}' })), /control character/);
    t.match(await refusal('update-port', odin('api', { metadata: '{"a":' })), /\/metadata is a text that is not JSON/);
    const longName = `{"${'n'.repeat(100_000)}":{"b":1,"b":2}}`;
    t.match(await refusal('update-port', odin('api', { metadata: longName })), /\/metadata has a name of more than/);
    t.match(await refusal('update-port', odin('api', { metadata: '{"a":1,"a":2}' })), /\/metadata\/a stands twice/);
    t.match(await refusal('update-port', odin('api', { metadata: `{"a":"${'x'.repeat(17_000)}"}` })), /too large/);
    t.same((await ask('list-ports', odin('api'))).items, []);
  });

  t.test('every tool is published as clients need it', async (t) => {
    const { tools } = await client.listTools();
    t.same((await client.listTools()).tools, tools, 'in the same order each time');
    for (const { name, description, inputSchema, outputSchema } of tools) {
      t.match(name, /^[a-z]+-[a-z-]+$/);
      t.ok(description.length > 60, `${name} says what it is and when to use it`);
      t.match(inputSchema, { type: 'object', additionalProperties: false }, name);
      t.equal(outputSchema?.additionalProperties, undefined, `${name} answers are open for growth`);
      const keywords = /"(\$ref|\$id|x-[a-zA-Z-]+|oneOf|anyOf|allOf|format|pattern|default|examples|const)":/;
      t.notMatch(JSON.stringify([inputSchema, outputSchema]), keywords, `${name} is plain`);
      t.notMatch(JSON.stringify(inputSchema), /"type":\[|null/, `${name} has one type for each field`);
    }
  });
});
