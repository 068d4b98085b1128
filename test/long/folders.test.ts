// Agents that name folders, all at once, and a folder that is never read.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Database } from '../../src/database/connect.js';
import { openFolderReader } from '../../src/mcp/read-folder.js';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, openEmbedded, openPostgres } from '../helpers/database.js';
import { makeFolder, makeRepository, replaceGit } from '../helpers/git.js';
import { findViolations } from '../helpers/registry.js';

t.setTimeout(120_000);
const ACCEPT = { accept: 'application/json, text/event-stream' };

async function caller(t: Test, database: Database) {
  const request = requester(await makeApp(t, database));
  const call = async (name: string, input: object) => {
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } };
    const { text } = await request('POST', '/mcp', message, ACCEPT);
    return JSON.parse(text.replace(/^[^{]*/, '')).result;
  };
  return { request, call };
}

async function openReplicas(t: Test): Promise<Database[]> {
  const url = await createDatabase(t);
  return [await openPostgres(t, url), await openPostgres(t, url)];
}

for (const [name, open] of [
  ['two replicas on PostgreSQL', openReplicas],
  ['the embedded database', async (t: Test) => [await openEmbedded(t)]],
] as const) {
  t.test(`agents of two clones that ask at once for a new project make one range, on ${name}`, async (t) => {
    const databases = await open(t);
    const callers = await Promise.all(databases.map((database) => caller(t, database)));
    for (const project of ['cart', 'bag', 'box']) {
      const clones = [makeRepository(t, project), makeRepository(t, project)];
      const answers = await Promise.all(
        Array.from({ length: 36 }, async (_, i) => {
          const { call } = callers[i % callers.length] as (typeof callers)[0];
          const cwd = clones[Math.floor(i / 2) % 2];
          const kind = Math.floor(i / 4) % 3;
          if (kind === 0) return { cwd, ...(await call('get-port', { service: 'web', cwd })) };
          if (kind === 1) return { cwd, ...(await call('get-environment-ports', { services: ['api', 'web'], cwd })) };
          return { cwd: null, ...(await call('allocate-port', { service: 'worker', cwd })) };
        }),
      );
      t.same(
        answers.filter(({ isError }) => isError),
        [],
      );
      const { request } = callers[0] as (typeof callers)[0];
      const { body } = await request('GET', '/v1/ranges?limit=1000');
      t.equal(body.items.filter((range: { project: string }) => range.project === project).length, 1);
      const webPorts = clones.map((clone) => {
        const found = answers
          .filter(({ cwd }) => cwd === clone)
          .map(
            ({ structuredContent: { port, items } }) =>
              port ?? items.find((item: { service: string }) => item.service === 'web').port,
          );
        return [...new Set(found)];
      });
      t.same(
        webPorts.map((ports) => ports.length),
        [1, 1],
        'each clone has one port for web',
      );
      t.not(webPorts[0]?.[0], webPorts[1]?.[0]);
      const workers = answers.filter(({ cwd }) => cwd === null).map(({ structuredContent: { port } }) => port);
      t.equal(new Set(workers).size, 12);
    }
    t.same(await findViolations((databases[0] as Database).db), []);
  });
}

t.test('folders that are never read keep up nobody else', async (t) => {
  const { call } = await caller(t, await openPostgres(t));
  const folders = Array.from({ length: 14 }, (_, i) => makeRepository(t, `cart-${i}`));
  replaceGit(t, 'exec sleep 60');
  const begun = performance.now();
  const waiting = Promise.all(folders.map((cwd) => call('get-port', { service: 'web', cwd })));
  const other = await call('get-port', { service: 'web', project: 'odin' });
  t.match(other, { structuredContent: { port: 3300 } });
  t.ok(performance.now() - begun < 5000);
  const told: string[] = (await waiting).map(({ content }) => content[0].text);
  t.match(
    told.slice(0, 2),
    Array(2).fill(/git does not read this repository: git did not answer within 2\.5 s\. .* or name project/),
  );
  t.match(told.slice(-2), Array(2).fill(/ was not read within 15 s\. Call again, or name project and environment /));
  t.ok(performance.now() - begun < 20_000);
});

t.test('those who name the same folder at once share its reading', async (t) => {
  const folder = makeRepository(t, 'cart');
  const calls = join(makeFolder(t, 'calls'), 'calls');
  const readHere = openFolderReader();
  await readHere(folder);
  replaceGit(t, `echo call >> ${calls}; PATH=${process.env.PATH} exec git "$@"`);
  await readHere(folder);
  const each = readFileSync(calls, 'utf8').length;
  writeFileSync(calls, '');
  const found = await Promise.all(Array.from({ length: 30 }, () => readHere(folder)));
  t.equal(new Set(found.map(({ project, path }) => `${project} ${path}`)).size, 1);
  t.ok(readFileSync(calls, 'utf8').length <= 2 * each, 'one under way, and one for all who came later');
  writeFileSync(join(folder, 'ports.yaml'), 'project: other\nservices: { web: {} }\n');
  t.match(await readHere(folder), { project: 'other' }, 'what is there now');
});
