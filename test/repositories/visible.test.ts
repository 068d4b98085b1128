// No query tells a caller of projects that the caller may not see.
import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import t, { type Test } from 'tap';
import type { Access } from '../../src/access/access.js';
import type { Caller } from '../../src/access/caller.js';
import { loadConfig } from '../../src/config.js';
import type { Tables } from '../../src/database/tables.js';
import type { AppError, ProblemCode } from '../../src/errors.js';
import { spaceOf } from '../../src/keys.js';
import { listHealthChecks } from '../../src/registry/health-checks.js';
import { Registry } from '../../src/registry/registry.js';
import type { Session } from '../../src/registry/session.js';
import { findHeldInEnvironment, listAllocations } from '../../src/repositories/allocations.js';
import { listApiKeys } from '../../src/repositories/api-keys.js';
import { findAudit, findLastAudit, findRecentAudit, listAudits } from '../../src/repositories/audits.js';
import { findExpiry, listAllEnvironments, listEnvironments } from '../../src/repositories/environments.js';
import { listDeliveries } from '../../src/repositories/events/deliveries.js';
import { listEvents } from '../../src/repositories/events/event-list.js';
import { moveNewEvents } from '../../src/repositories/events/events.js';
import { findWebhook, listWebhooks, lockWebhook } from '../../src/repositories/events/webhooks.js';
import { listProjectNames, listProjects, summarizeProject } from '../../src/repositories/projects.js';
import {
  findForeignOwners,
  findRange,
  listRanges,
  lockRangesAround,
  requireRange,
} from '../../src/repositories/ranges.js';
import { findAudited } from '../../src/repositories/reports/audited-registry.js';
import { countPortsByProject } from '../../src/repositories/reports/counts.js';
import {
  findDuplicateHostnames,
  findExportedPorts,
  findExportedRoutes,
} from '../../src/repositories/reports/exports.js';
import { listPortHistory } from '../../src/repositories/reports/port-history.js';
import { describePort } from '../../src/repositories/reports/ports.js';
import { findReservation, listReservations } from '../../src/repositories/reservations.js';
import { findConflicts } from '../../src/services/audits/conflicts.js';
import { LocalListeners } from '../../src/services/listeners/local-listeners.js';
import { openPostgres } from '../helpers/database.js';
import { fillProject, insertAudit, insertWebhook, readIds } from '../helpers/filled-project.js';
import { exportedFunctions } from '../helpers/sources.js';

/** The caller's project. Whatever it holds has `shown` in its names and descriptions. */
const OWN = 'odin';
/** The other project. Whatever it holds has `hidden` in its names and descriptions. */
const OTHER = 'consilio';
const [OWN_START, OTHER_START] = [3300, 3100];
const SPACE = spaceOf({});
const CALLER: Caller = {
  kind: 'key',
  id: randomUUID(),
  name: 'limited',
  role: 'project',
  projects: [OWN],
  hostnames: null,
  hosts: null,
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

/** One way to ask a query something, and what comes of it. */
interface Ask {
  ask(session: Session): Promise<unknown>;
  /** Words of the caller's own project that are in the answer. */
  shows?: string[];
  refused?: ProblemCode;
  /** The answer names the other project, but tells no more of it. */
  namesOther?: boolean;
  /** The answer has ids of the other project's rows, for this reason. */
  whyIds?: string;
}

/** Every query that takes an `access`. A test below names those that are missing here. */
const queries: Record<string, Ask[]> = {
  listAllocations: [
    { ask: (s) => s.read(listAllocations, {}), shows: ['shown-api', 'shown.example.com'] },
    { ask: (s) => s.read(listAllocations, { status: 'any' }), shows: ['shown-api', 'shown-released'] },
    { ask: (s) => s.read(listAllocations, { status: 'released' }), shows: ['shown-released'] },
    { ask: (s) => s.read(listAllocations, { cloudflareHostname: 'shared.example.com' }), shows: ['shown-api'] },
    { ask: (s) => s.read(listAllocations, { project: OTHER, status: 'any' }) },
    { ask: (s) => s.read(listAllocations, { service: 'hidden-api', port: OTHER_START }) },
  ],
  findHeldInEnvironment: [
    { ask: (s) => s.read(findHeldInEnvironment, environment(OWN, 'shown'), 0), shows: ['shown-web'] },
    { ask: (s) => s.read(findHeldInEnvironment, environment(OTHER, 'hidden'), 0), refused: 'forbidden' },
  ],
  listWebhooks: [{ ask: (s) => s.read(listWebhooks, {}), shows: ['shown webhook'] }],
  findWebhook: [
    { ask: (s) => s.read(findWebhook, own.webhook), shows: ['shown webhook'] },
    { ask: (s) => s.read(findWebhook, other.webhook), refused: 'webhook-not-found' },
  ],
  lockWebhook: [
    {
      ask: (s) => s.read(inTransaction((trx, access) => lockWebhook(trx, access, own.webhook))),
      shows: ['shown webhook'],
    },
    {
      ask: (s) => s.read(inTransaction((trx, access) => lockWebhook(trx, access, other.webhook))),
      refused: 'webhook-not-found',
    },
  ],
  listDeliveries: [
    { ask: (s) => s.read(listDeliveries, own.webhook, {}), shows: ['shown delivery'] },
    { ask: (s) => s.read(listDeliveries, other.webhook, {}), refused: 'webhook-not-found' },
  ],
  listApiKeys: [{ ask: (s) => s.read(listApiKeys, {}), refused: 'forbidden' }],
  findAudited: [
    {
      ask: (s) => s.read(findAudited, {}),
      shows: ['shown-api', 'shown-web', 'shown-reserved'],
      namesOther: true,
      whyIds:
        'An audit asks by them which owners of a shared hostname are gone by its end. The next test is about that.',
    },
    { ask: (s) => s.read(findAudited, { project: OTHER }), refused: 'forbidden' },
  ],
  listAudits: [
    { ask: (s) => s.read(listAudits, {}), shows: ['shown-key', 'shown conflict'] },
    { ask: (s) => s.read(listAudits, { covering: true }), shows: ['shown-key'] },
    { ask: (s) => s.read(listAudits, { project: OTHER }) },
    { ask: (s) => s.read(listAudits, { project: OTHER, covering: true }) },
  ],
  findAudit: [
    { ask: (s) => s.read(findAudit, own.audit), shows: ['shown-key', 'shown conflict'] },
    { ask: (s) => s.read(findAudit, other.audit), refused: 'audit-not-found' },
    { ask: (s) => s.read(findAudit, auditOfAll), refused: 'audit-not-found' },
  ],
  findLastAudit: [
    { ask: (s) => s.read(findLastAudit, { project: OWN, host: 'localhost' }), shows: [own.audit] },
    { ask: (s) => s.read(findLastAudit, { project: OTHER, host: 'localhost' }) },
  ],
  findRecentAudit: [
    { ask: (s) => s.read(findRecentAudit, { project: OWN }, 600), shows: ['shown-key', 'shown conflict'] },
    { ask: (s) => s.read(findRecentAudit, { project: OTHER }, 600) },
    { ask: (s) => s.read(findRecentAudit, {}, 600) },
  ],
  listEvents: [
    { ask: (s) => s.read(listEvents, {}, 'urn:test'), shows: ['shown-api'] },
    { ask: (s) => s.read(listEvents, { project: OTHER }, 'urn:test') },
    {
      ask: (s) => s.read(listEvents, { types: ['allocation.created', 'api-key.created'] }, 'urn:test'),
      shows: ['shown-api'],
    },
  ],
  listEnvironments: [
    { ask: (s) => s.read(listEnvironments, OWN, {}), shows: ['shown', '/shown/folder'] },
    { ask: (s) => s.read(listEnvironments, OTHER, {}), refused: 'forbidden' },
  ],
  listAllEnvironments: [
    { ask: (s) => s.read(listAllEnvironments, {}), shows: ['shown', '/shown/folder'] },
    { ask: (s) => s.read(listAllEnvironments, { path: '/shared' }), shows: ['shown'] },
    { ask: (s) => s.read(listAllEnvironments, { project: OTHER }) },
  ],
  findExpiry: [
    { ask: (s) => s.read(findExpiry, OWN, 'shown') },
    { ask: (s) => s.read(findExpiry, OTHER, 'hidden'), refused: 'forbidden' },
  ],
  findExportedPorts: [
    { ask: (s) => s.read(findExportedPorts, {}, null, 100), shows: ['shown-api', 'shown-web'] },
    { ask: (s) => s.read(findExportedPorts, { project: OTHER }, null, 100) },
  ],
  findExportedRoutes: [
    { ask: (s) => s.read(findExportedRoutes, {}, null, 100), shows: ['shown-web'] },
    { ask: (s) => s.read(findExportedRoutes, { project: OTHER }, null, 100) },
  ],
  findDuplicateHostnames: [
    { ask: (s) => s.read(findDuplicateHostnames, {}, 100) },
    { ask: (s) => s.read(findDuplicateHostnames, { project: OTHER }, 100) },
  ],
  countPortsByProject: [{ ask: (s) => s.read(countPortsByProject), refused: 'forbidden' }],
  describePort: [
    { ask: (s) => s.read(describePort, OWN_START, SPACE), shows: ['shown-api', 'shown range'] },
    { ask: (s) => s.read(describePort, own.reservation.port, SPACE), shows: ['shown-reserved'] },
    { ask: (s) => s.read(describePort, OTHER_START, SPACE), namesOther: true },
    { ask: (s) => s.read(describePort, other.reservation.port, SPACE), namesOther: true },
  ],
  listProjects: [{ ask: (s) => s.read(listProjects, SPACE, {}), shows: ['shown range', 'shown-api'] }],
  listProjectNames: [{ ask: (s) => s.read(listProjectNames), shows: [OWN] }],
  summarizeProject: [
    { ask: (s) => s.read(summarizeProject, OWN, SPACE), shows: ['shown range', 'shown-api'] },
    { ask: (s) => s.read(summarizeProject, OTHER, SPACE), refused: 'forbidden' },
  ],
  listRanges: [{ ask: (s) => s.read(listRanges, SPACE, {}), shows: ['shown range'], namesOther: true }],
  findRange: [
    { ask: (s) => s.read(findRange, OWN_START, SPACE), shows: ['shown range'] },
    { ask: (s) => s.read(findRange, OTHER_START, SPACE), namesOther: true },
  ],
  requireRange: [
    { ask: (s) => s.read(requireRange, OWN) },
    { ask: (s) => s.read(requireRange, OTHER), refused: 'forbidden' },
  ],
  lockRangesAround: [
    {
      ask: (s) => s.read(inTransaction((trx, access) => lockRangesAround(trx, access, [OWN_START, OTHER_START]))),
      shows: [OWN],
    },
  ],
  findForeignOwners: [
    {
      ask: (s) => s.read(inTransaction((trx, access) => findForeignOwners(trx, access, [OWN_START, OTHER_START]))),
      namesOther: true,
    },
  ],
  findReservation: [
    { ask: (s) => s.read(findReservation, own.reservation.id), shows: ['shown-reserved', 'shown reason'] },
    { ask: (s) => s.read(findReservation, other.reservation.id), refused: 'reservation-not-found' },
  ],
  listPortHistory: [
    { ask: (s) => s.read(listPortHistory, OWN_START, SPACE, {}), shows: ['shown-api', 'shown-first'] },
    { ask: (s) => s.read(listPortHistory, OTHER_START, SPACE, {}) },
  ],
  listReservations: [
    { ask: (s) => s.read(listReservations, { status: 'any' }), shows: ['shown-reserved', 'shown reason'] },
    { ask: (s) => s.read(listReservations, { project: OTHER, status: 'any' }) },
  ],
};

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

t.test('every query that takes an access is asked above', async (t) => {
  const found = exportedFunctions('src/repositories').filter(({ parameterTypes }) => parameterTypes.includes('Access'));
  t.ok(found.length > 0);
  const problems = found.flatMap(({ name, file, parameterTypes }) => {
    if (name === 'visibleTo') return []; // the condition itself, which the queries are made with
    if (parameterTypes[1] !== 'Access')
      return [`${name} of ${file}: make access its second parameter, as Session.read passes it`];
    return name in queries
      ? []
      : [`${name} of ${file}: add what it is asked, and what it has to show, to \`queries\` in this test`];
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

function inTransaction<T>(work: (trx: Parameters<typeof lockRangesAround>[0], access: Access) => Promise<T>) {
  return (db: Kysely<Tables>, access: Access) => db.transaction().execute((trx) => work(trx, access));
}

function environment(project: string, environment: string) {
  return { project, environment, ...SPACE };
}

/** A webhook of one project, with a delivery. */
