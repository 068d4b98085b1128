// No query tells a caller of projects that the caller may not see.
import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import type { Caller } from '../../src/access/caller.js';
import { loadConfig } from '../../src/config.js';
import type { AppError } from '../../src/errors.js';
import { listHealthChecks } from '../../src/registry/health-checks.js';
import { Registry } from '../../src/registry/registry.js';
import { listAllocations } from '../../src/repositories/allocations.js';
import { listAudits } from '../../src/repositories/audits.js';
import { moveNewEvents } from '../../src/repositories/events/events.js';
import { listRanges } from '../../src/repositories/ranges.js';
import { findAudited } from '../../src/repositories/reports/audited-registry.js';
import { listReservations } from '../../src/repositories/reservations.js';
import { findConflicts } from '../../src/services/audits/conflicts.js';
import { LocalListeners } from '../../src/services/listeners/local-listeners.js';
import { openPostgres } from '../helpers/database.js';
import { fillProject, insertAudit, insertWebhook, readIds } from '../helpers/filled-project.js';
import { exportedFunctions } from '../helpers/sources.js';
import { type Ask, OTHER, OTHER_START, OWN, OWN_START, queriesOf, SPACE } from '../helpers/visible-queries.js';

const CALLER: Caller = {
  kind: 'key',
  id: randomUUID(),
  name: 'limited',
  role: 'project',
  projects: [OWN],
  hostnames: null,
  hosts: null,
  expiresAt: null,
};

const { db } = await openPostgres(t);
const registry = new Registry(db);
const own = { ...(await fillProject(db, OWN, OWN_START, 'shown')), webhook: await insertWebhook(db, OWN, 'shown') };
const other = {
  ...(await fillProject(db, OTHER, OTHER_START, 'hidden')),
  webhook: await insertWebhook(db, OTHER, 'hidden'),
};
const auditOfAll = await insertAudit(db, {}, 'hidden');
await moveNewEvents(db);
const otherIds = [...(await readIds(db, OTHER)), auditOfAll];

const queries = queriesOf({ own, other, auditOfAll });

for (const [name, asks] of Object.entries(queries)) {
  t.test(`${name} tells a caller of the caller’s own project alone`, async (t) => {
    for (const one of asks) await check(t, one);
  });
}

t.test('of another project’s hostname, an audit tells the project’s name alone', async (t) => {
  const session = registry.as(CALLER, 'read');
  const audited = await session.read(findAudited, {});
  const nothing = {
    probed: [],
    released: new Set<string>(),
    refused: new Map(),
    listeners: new LocalListeners(loadConfig({})),
    foreign: new Map(),
    elsewhere: new Map(),
    scope: {},
  };
  const conflicts = await findConflicts(session, { registry: audited, ...nothing });
  t.match(conflicts, [{ kind: 'duplicate-hostname', port: OWN_START, project: OWN, actual: `also ${OTHER}` }]);
  t.equal(conflicts.length, 1);
  t.same(wordsNotToBeTold(conflicts, { namesOther: true }), []);
});

t.test('health checks are those of an allocation that the caller may see', async (t) => {
  await check(t, { ask: (s) => listHealthChecks(s, own.api, {}), shows: ['shown error'] });
  await check(t, { ask: (s) => listHealthChecks(s, other.api, {}), refused: 'allocation-not-found' });
});

t.test('the words and ids of the other project are there for a caller who sees everything', async (t) => {
  const all = registry.asBackground();
  const seen = [
    await all.read(listAllocations, { status: 'any' }),
    await all.read(listReservations, {}),
    await all.read(listRanges, SPACE, {}),
    await listHealthChecks(all, other.api, {}),
    await all.read(listAudits, {}),
  ];
  for (const words of seen) t.ok(wordsNotToBeTold(words, { namesOther: true }).includes('hidden'));
  t.same(
    otherIds.filter((id) => !JSON.stringify(seen).includes(id)),
    [],
  );
});

t.test('every query that takes an access is asked', async (t) => {
  const found = exportedFunctions('src/repositories').filter(({ parameterTypes }) => parameterTypes.includes('Access'));
  t.ok(found.length > 0);
  const problems = found.flatMap(({ name, file, parameterTypes }) => {
    if (name === 'visibleTo') return []; // the condition itself, which the queries are made with
    if (parameterTypes[1] !== 'Access')
      return [`${name} of ${file}: make access its second parameter, as Session.read passes it`];
    return name in queries
      ? []
      : [`${name} of ${file}: add what it is asked, and what it has to show, to test/helpers/visible-queries.ts`];
  });
  t.same(problems, []);
  const names = new Set(found.map(({ name }) => name));
  t.same(
    Object.keys(queries).filter((name) => !names.has(name)),
    [],
    'and there is each query that is asked',
  );
});

async function check(t: Test, { ask, shows = [], refused, namesOther = false, whyIds }: Ask): Promise<void> {
  const answer = await ask(registry.as(CALLER, 'read')).catch((error: unknown) => error);
  const text = `${ask}`;
  if (refused) {
    t.match(answer, { code: refused }, text);
    // A refusal may repeat the name that the caller gave.
    const { message, extras } = answer as AppError;
    t.same(wordsNotToBeTold({ message, extras }, { namesOther: true, ids: [] }), [], text);
    return;
  }
  if (answer instanceof Error) throw answer;
  t.same(wordsNotToBeTold(answer, { namesOther, ...(whyIds && { ids: [] }) }), [], text);
  t.same(
    shows.filter((word) => !toJson(answer).includes(word)),
    [],
    text,
  );
  if (namesOther) t.ok(toJson(answer).includes(OTHER), text);
}

function wordsNotToBeTold(
  answer: unknown,
  { namesOther, ids = otherIds }: { namesOther: boolean; ids?: string[] },
): string[] {
  const words = ['hidden', ...ids, ...(namesOther ? [] : [OTHER])];
  return words.filter((word) => toJson(answer).includes(word));
}

function toJson(answer: unknown): string {
  return JSON.stringify(answer, (_, part) => (part instanceof Map ? [...part] : part)) ?? '';
}
