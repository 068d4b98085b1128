// What a service does with a folder that an agent or a bridge names is bounded, whoever names it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { makeFolder, makeRepository, replaceGit } from '../helpers/git.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';

const ACCEPT = { accept: 'application/json, text/event-stream' };
const encode = (folder: unknown) => Buffer.from(JSON.stringify(folder)).toString('base64url');

async function open(t: Test, variables: Record<string, string> = {}) {
  const request = requester(await makeApp(t, await openPostgres(t), variables));
  return {
    request,
    async getPort(input: object, headers: Record<string, string> = {}) {
      const params = { name: 'get-port', arguments: { service: 'web', ...input } };
      const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
      const { status, body, text } = await request('POST', '/mcp', message, { ...ACCEPT, ...headers });
      return { status, body, text: /"text":"((\\.|[^"])*)"/.exec(text)?.[1] ?? text };
    },
  };
}

t.test('a header that no bridge sends is refused', async (t) => {
  const { getPort } = await open(t);
  const sound = { project: 'shop', environment: 'default', path: '/srv/shop', services: ['web'] };
  t.match(await getPort({}, { folder: encode(sound) }), {
    status: 200,
    text: 'web of shop (environment default): 3600',
  });
  for (const folder of [
    'x',
    '',
    JSON.stringify(sound),
    encode(null),
    encode([sound]),
    encode({ ...sound, project: 'Größe' }),
    encode({ ...sound, project: '__proto__' }),
    encode({ ...sound, project: undefined }),
    encode({ ...sound, environment: 'feature/x' }),
    encode({ ...sound, path: 'srv' }),
    encode({ ...sound, path: '/srv/\u0000' }),
    encode({ ...sound, services: ['a b'] }),
    encode({ ...sound, admin: true }),
    encode({ ...sound, path: `/${'x'.repeat(8192)}` }),
  ]) {
    const { status, body } = await getPort({}, { folder });
    t.match({ status, body }, { status: 400, body: { errors: [{ pointer: '/headers/folder' }] } }, folder.slice(0, 80));
  }
});

t.test('a folder opens no project that the key does not', async (t) => {
  const { getPort, request } = await open(t, WITH_KEYS);
  await request('PUT', '/v1/projects/shop', undefined, ADMIN);
  await request('PUT', '/v1/projects/shipping', undefined, ADMIN);
  const { key } = await makeKey(request, 'project', 'shop', 'shopp');
  const headers = (project: string) => ({
    ...bearer(key),
    folder: encode({ project, environment: 'default', path: '/srv/shop', services: null }),
  });
  t.match((await getPort({}, headers('shop'))).text, /^web of shop /);
  const other = (await getPort({}, headers('shipping'))).text;
  t.match(other, /^forbidden: /);
  const misspelt = (await getPort({}, headers('shopp'))).text;
  t.match(misspelt, /^forbidden: Project shopp has no range\. Did you mean shop\?/);
  t.notMatch(misspelt, /shipping/);
});

t.test('however many agents name a folder at once, few processes of git run', async (t) => {
  const { getPort } = await open(t);
  const log = join(makeFolder(t, 'calls'), 'log');
  const folders = Array.from({ length: 4 }, () => makeRepository(t, 'cart'));
  replaceGit(t, `PATH="\${PATH#*:}"\necho + >> '${log}'\ngit "$@"\nended=$?\necho - >> '${log}'\nexit $ended`);
  const told = await Promise.all(
    Array.from({ length: 16 }, async (_, i) => (await getPort({ cwd: folders[i % 4], service: `s${i}` })).text),
  );
  t.equal(
    told.filter((text) => /^s\d+ of cart \(environment default(-[a-z0-9]{4})?\): 36\d\d$/.test(text)).length,
    16,
    told.join(),
  );
  t.equal(new Set(told.map((text) => /\((.*)\)/.exec(text)?.[1])).size, 4, 'each clone has an environment of its own');
  const marks = readFileSync(log, 'utf8').trim().split('\n');
  let running = 0;
  const most = Math.max(...marks.map((mark) => (running += mark === '+' ? 1 : -1)));
  t.equal(running, 0, 'each that began has ended');
  const began = marks.length / 2;
  t.ok(began >= 4 * 2 && began < 16 * 2, `${began} processes: each folder is read, and not for each agent`);
  t.ok(most <= 4, `${most} at once`);
});

t.test('odd folders', async (t) => {
  const { getPort, request } = await open(t);
  const folder = makeFolder(t, 'bag');
  mkdirSync(join(folder, 'Größe 深'));
  for (const [cwd, expected] of [
    ['~/shop', /^validation-failed: \/cwd /],
    ['..', /^validation-failed: \/cwd /],
    ['C:\\\\shop', /^validation-failed: \/cwd is no folder to go by: C:.* is no absolute path/],
    [
      '/',
      /^validation-failed: \/cwd is no folder to go by: \/ is no project's folder\. Name yours, or name project and /,
    ],
    ['/dev/null', /^validation-failed: .*\/dev\/null is no project's folder\. Name yours, or name /],
    [`/${'x'.repeat(4095)}`, /^validation-failed: .*There is no folder /],
    [`/${'x'.repeat(4096)}`, /^validation-failed: \/cwd must .*4096/],
  ] as const) {
    t.match((await getPort({ cwd })).text, expected, cwd.slice(0, 80));
  }
  const [faulty, large] = [makeFolder(t, 'faulty'), makeFolder(t, 'large')];
  writeFileSync(join(faulty, 'ports.yaml'), 'servcies: {}\nprojekt: shop\n');
  t.match(
    (await getPort({ cwd: faulty })).text,
    /ports\.yaml:1:1: servcies .* \/.*ports\.yaml:2:1: projekt .* Correct these in the file, or name project and /,
  );
  writeFileSync(join(faulty, 'ports.yaml'), 'x: ['.repeat(10_000));
  const { text } = await getPort({ cwd: faulty });
  t.match(text, /Further errors in it: \d+\. Correct these in the file, or name project and /);
  t.ok(text.length < 2000, `${text.length} characters`);
  writeFileSync(join(large, 'ports.yaml'), `services: { web: {} }\n#${'x'.repeat(64 * 1024)}`);
  t.match(
    (await getPort({ cwd: large })).text,
    /ports\.yaml is larger than 64 KiB\. Shorten it, .*or name project and /,
  );
  t.match((await request('GET', '/v1/projects')).body.items, [], 'nothing was created');
  t.match((await getPort({ cwd: join(folder, 'Größe 深') })).text, /^web of gr-e-[a-z0-9]{4} /);
});
