// What `pa watch` tells, and how it ends.
import t from 'tap';
import { renderContract } from '../../../scripts/contract.js';
import { exportFormats } from '../../../src/input/export-formats.js';
import { eventTypes } from '../../../src/schemas/events/event-types.js';
import { callCli, openShop } from '../../helpers/cli.js';
import { ADMIN, bearer, WITH_KEYS } from '../../helpers/keys.js';
import { until } from '../../helpers/until.js';
import { serveShop, startWatch } from '../../helpers/watching.js';

t.test('it knows the event types and the formats that there are', async (t) => {
  const { components, paths } = JSON.parse((await renderContract()).json);
  t.same(eventTypes, components.schemas.Event.properties.type.enum);
  const parameters: { name: string; schema: { enum?: string[] } }[] = paths['/v1/exports/{format}'].get.parameters;
  t.same(exportFormats, parameters.find(({ name }) => name === 'format')?.schema.enum);
});

t.test('a line for each event: of this folder, of a project, of all, and of chosen types', async (t) => {
  const { pa, folder, variables } = await openShop(t);
  const [here, all, atlas] = await Promise.all([
    startWatch(t, [], variables, folder),
    startWatch(t, ['--all', '--json', '--on', 'allocation.released', '--on', 'range,service'], variables),
    startWatch(t, ['--project', 'atlas', '--json'], variables, folder),
  ]);
  await pa(['port', 'web']);
  await pa(['port', 'web', '--environment', 'staging']);
  await pa(['port', 'api', '--project', 'atlas']);
  await pa(['release', 'web', '--yes']);
  await until(() => /released/.test(here.stdout()) && all.events().length >= 3 && atlas.events().length >= 2);
  const lines = here.stdout().trim().split('\n');
  t.equal(lines.length, 3, here.stdout());
  t.match(lines[0], /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d range\.created +3600–3699 shop by /);
  t.match(lines[1], / allocation\.created +3600 shop\/web by /);
  t.match(lines[2], / allocation\.released +3600 shop\/web by /);
  t.same(
    all.events().map(({ type, project }) => [type, project]),
    [
      ['range.created', 'shop'],
      ['range.created', 'atlas'],
      ['allocation.released', 'shop'],
    ],
  );
  t.same(
    atlas.events().map(({ type }) => type),
    ['range.created', 'allocation.created'],
  );
});

t.test('a wrong command line is told before anything is asked', async (t) => {
  const wrong = async (...args: string[]) => {
    const { code, stderr } = await callCli(['watch', ...args], {
      variables: { PORT_ALLOCATOR_URL: 'http://127.0.0.1:1' },
    });
    t.equal(code, 2, args.join(' '));
    return stderr;
  };
  t.match(
    await wrong('--on', 'service.sideways'),
    /^There is no event "service\.sideways"\.\nThere are allocation\.created, /,
  );
  t.match(await wrong('--write', 'x'), /^--write needs a format\.\nAdd --format with one of dotenv, /);
  t.match(await wrong('--format', 'dotenv'), /^--format is about the file of --write\./);
  t.match(await wrong('--write', ' ', '--format', 'dotenv'), /^--write names no file\./);
  t.match(await wrong('--exec', ''), /^--exec has no command\./);
  t.match(await wrong('--host', 'localhost'), /^--host is about the file of --write\./);
  t.match(await wrong('--format', 'dotenv', '--write', 'x', '--exec', 'a {port}'), /^With --write, --exec runs after /);
  t.match(await callCli(['watch', '--all'], { variables: { PORT_ALLOCATOR_URL: 'http://127.0.0.1:1' } }), { code: 3 });
});

t.test('a signal ends it by that signal, and a reader that leaves ends it quietly', async (t) => {
  const { request, variables } = await serveShop(t);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const end = async (signal: NodeJS.Signals) => {
    const watch = await startWatch(t, ['--all'], variables);
    watch.child.kill(signal);
    t.match(await watch.ended, { signal });
    t.equal(watch.stderr(), 'Watching every project.\n');
  };
  await Promise.all(signals.map(end));
  const watch = await startWatch(t, ['--all'], variables);
  watch.child.stdout.destroy();
  await request('PUT', '/v1/projects/shop');
  t.match(await watch.ended, { code: 0, signal: null });
  t.equal(watch.stderr(), 'Watching every project.\n');
});

t.test('a key that is revoked ends it with the refusal', async (t) => {
  const { request, variables } = await serveShop(t, WITH_KEYS);
  await request('PUT', '/v1/projects/shop', {}, ADMIN);
  const body = { name: 'shop', role: 'project', projects: ['shop'] };
  const { id, key } = (await request('POST', '/v1/api-keys', body, ADMIN)).body;
  const keyed = { ...variables, PORT_ALLOCATOR_API_KEY: key };
  const watch = await startWatch(t, ['--all', '--json'], keyed);
  t.equal((await request('PUT', '/v1/projects/shop/services/web', {}, bearer(key))).status, 201);
  await until(() => watch.events().length === 1);
  await request('DELETE', `/v1/api-keys/${id}`, undefined, ADMIN);
  t.match(await watch.ended, { code: 1, signal: null });
  t.match(watch.stderr(), /key.*\nSet PORT_ALLOCATOR_API_KEY to a key of this registry\./);
  t.match(await callCli(['watch', '--all'], { variables: keyed }), { code: 1 });
});
