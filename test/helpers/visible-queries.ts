import type { Kysely } from 'kysely';
import type { Access } from '../../src/access/access.js';
import type { Tables } from '../../src/database/tables.js';
import type { ProblemCode } from '../../src/errors.js';
import { spaceOf } from '../../src/keys.js';
import type { Session } from '../../src/registry/session.js';
import { findHeldInEnvironment, listAllocations } from '../../src/repositories/allocations.js';
import { listApiKeys } from '../../src/repositories/api-keys.js';
import { findAudit, findLastAudit, findRecentAudit, listAudits } from '../../src/repositories/audits.js';
import { findExpiry, listAllEnvironments, listEnvironments } from '../../src/repositories/environments.js';
import { listDeliveries, repeatDelivery } from '../../src/repositories/events/deliveries.js';
import { listEvents } from '../../src/repositories/events/event-list.js';
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
import type { fillProject } from './filled-project.js';

/** The caller's project. Whatever it holds has `shown` in its names and descriptions. */
export const OWN = 'odin';
/** The other project. Whatever it holds has `hidden` in its names and descriptions. */
export const OTHER = 'consilio';
export const [OWN_START, OTHER_START] = [3300, 3100];
export const SPACE = spaceOf({});

/** One way to ask a query something, and what comes of it. */
export interface Ask {
  ask(session: Session): Promise<unknown>;
  /** Words of the caller's own project that are in the answer. */
  shows?: string[];
  refused?: ProblemCode;
  /** The answer names the other project, but tells no more of it. */
  namesOther?: boolean;
  /** The answer has ids of the other project's rows, for this reason. */
  whyIds?: string;
}

type Filled = Awaited<ReturnType<typeof fillProject>> & { webhook: string };

/** Every query that takes an `access`, by its name. test/repositories/visible.test.ts names those that are missing here. */
export const queriesOf = ({
  own,
  other,
  auditOfAll,
}: {
  own: Filled;
  other: Filled;
  auditOfAll: string;
}): Record<string, Ask[]> => ({
  listAllocations: [
    { ask: (s) => s.read(listAllocations, {}), shows: ['shown-api', 'shown.example.com'] },
    { ask: (s) => s.read(listAllocations, { status: 'any' }), shows: ['shown-api', 'shown-released'] },
    { ask: (s) => s.read(listAllocations, { status: 'released' }), shows: ['shown-released'] },
    { ask: (s) => s.read(listAllocations, { status: 'cooling' }), shows: ['shown-released'] },
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
  repeatDelivery: [
    { ask: (s) => s.read(repeatOnlyDelivery, own.webhook), shows: [OWN] },
    { ask: (s) => s.read(repeatOnlyDelivery, other.webhook), refused: 'delivery-not-found' },
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
});

function inTransaction<T>(work: (trx: Parameters<typeof lockRangesAround>[0], access: Access) => Promise<T>) {
  return (db: Kysely<Tables>, access: Access) => db.transaction().execute((trx) => work(trx, access));
}

function environment(project: string, environment: string) {
  return { project, environment, ...SPACE };
}

async function repeatOnlyDelivery(db: Kysely<Tables>, access: Access, id: string) {
  const delivery = await db
    .selectFrom('webhook_deliveries')
    .where('webhook_id', '=', id)
    .select('id')
    .executeTakeFirst();
  return db
    .transaction()
    .execute((trx) => repeatDelivery(trx, access, { id, generation: 0, projects: [] }, delivery?.id ?? ''));
}
