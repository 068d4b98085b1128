import type { Transaction } from 'kysely';
import type { Access } from '../access/access.js';
import type { Adopt, Adoption } from '../allocator/commands/adopt.js';
import { executeLocked } from '../allocator/transaction.js';
import type { Tables } from '../database/tables.js';
import { countOutcomes } from '../input/import-counts.js';
import type { Space } from '../keys.js';
import * as refusals from '../refusals.js';
import { type IdempotencyKey, insertAnswers, lockAndFindAnswer, NO_PROJECT } from '../repositories/idempotency-keys.js';
import { blockAround, findForeignOwners, lockRangesAround } from '../repositories/ranges.js';
import type { Import, ImportedPort, PassedOverLine } from '../schemas/import.js';
import { requireRoomForAnswer } from './limits.js';
import type { Session } from './session.js';

/**
 * A port to adopt, with what else is to be said of it; or a port that another process has as well, so that it cannot be
 * held for both; or what is wrong with a line that should have been a port.
 */
export type ImportItem = { line: number } & (
  | (Adopt & { notes: string[] })
  | (Space & { port: number; clash: string })
  | { unreadable: string }
);

/** What an import is given: `given` counts the items, and the lines of a text that were passed over. */
export interface ToImport {
  given: number;
  items: ImportItem[];
  /** The first of them, if there are many. */
  passedOver: PassedOverLine[];
}

/**
 * One queue for all imports, so that they do not wait, on a database connection each, for the lock of one busy project.
 */
const IMPORTS = 'imports of ports';

/**
 * Adopts ports that are in use already, each into the project whose range covers it, and tells what became of each. It
 * is one transaction, under the locks of all projects involved that the caller sees.
 * @param options with `dryRun`, the same report, and nothing is written, not even an answer for `idempotency`
 * @throws AppError idempotency-key-reused, limit-reached, forbidden
 */
export async function importPorts(
  session: Session,
  toImport: ToImport,
  options: { dryRun: boolean; idempotency: IdempotencyKey | null },
): Promise<{ report: Import; replayed: boolean }> {
  const { allowances, observer } = session;
  const { dryRun } = options;
  const idempotency = dryRun ? null : options.idempotency;
  const work = async (trx: Transaction<Tables>) => {
    const answer = idempotency && (await lockAndFindAnswer(trx, NO_PROJECT, idempotency));
    if (answer) return { report: answer as Import, replayed: true };
    if (idempotency) await requireRoomForAnswer(trx, allowances, NO_PROJECT, idempotency.caller);
    const items = await adoptAll(trx, session, toImport.items, dryRun);
    const { given, passedOver } = toImport;
    const report: Import = { dryRun, given, counts: countOutcomes(items, given), items, passedOver };
    if (idempotency) await insertAnswers(trx, NO_PROJECT, [{ ...idempotency, response: report }]);
    return { report, replayed: false };
  };
  const imported = await session.change('imports', work, { queue: IMPORTS });
  if (imported.replayed || dryRun) return imported;
  for (const { outcome, allocation } of imported.report.items) {
    if (outcome === 'adopted' && allocation) observer.wrote(allocation.project, { allocated: 1, released: 0 });
  }
  return imported;
}

async function adoptAll(
  trx: Transaction<Tables>,
  { access, allowances, actor }: Session,
  items: readonly ImportItem[],
  dryRun: boolean,
): Promise<ImportedPort[]> {
  const readable = items.filter((item) => 'notes' in item).filter(({ host }) => access.findHostRefusal(host) === null);
  const ports = readable.map(({ port }) => port);
  const ranges = await lockRangesAround(trx, access, ports);
  const foreignOwners = await findForeignOwners(trx, access, ports);
  const adoptions = new Map<ImportItem, Adoption>();
  for (const project of new Set(ranges.map((range) => range.project))) {
    const own = ranges.filter((range) => range.project === project);
    const covered = readable.filter(({ port }) =>
      own.some((range) => range.start_port <= port && port <= range.end_port),
    );
    const commands = covered.map(({ line, notes, ...wanted }) => ({ kind: 'adopt' as const, by: actor, ...wanted }));
    const outcomes = await executeLocked(trx, project, own, commands, { dryRun, allowances });
    for (const [index, outcome] of outcomes.entries()) {
      if (!outcome.ok) throw outcome.error;
      adoptions.set(covered[index] as ImportItem, redact(outcome.value as Adoption, access));
    }
  }
  return items.map((item) => describe(item, adoptions.get(item), foreignOwners, access));
}

/** If another project stands in the way, tells the caller that project's name and nothing else. */
function redact({ holder, ...adoption }: Adoption, access: Access): Adoption {
  if (!holder || access.sees(holder.project)) return adoption;
  return { ...adoption, detail: refusals.keptForOther(holder).message };
}

function describe(
  item: ImportItem,
  adoption: Adoption | undefined,
  foreignOwners: ReadonlyMap<number, string>,
  access: Access,
): ImportedPort {
  const { line } = item;
  if ('unreadable' in item) {
    return { line, port: null, host: null, outcome: 'invalid', detail: item.unreadable, allocation: null };
  }
  const { port, host } = item;
  const told = { line, port, host, allocation: null };
  if ('clash' in item) return { ...told, outcome: 'conflict', detail: item.clash };
  if (adoption) {
    const warnings = adoption.allocation?.warnings ?? []; // that the number is excluded, for example
    return { ...told, ...adoption, detail: [adoption.detail, ...item.notes, ...warnings].join(' ') };
  }
  const refusal = access.findHostRefusal(host);
  if (refusal) return { ...told, outcome: 'conflict', detail: refusal.message };
  const project = foreignOwners.get(port);
  if (project !== undefined) {
    const detail = `It is in a range of ${project}, which this key does not cover.`;
    return { ...told, outcome: 'conflict', detail };
  }
  const block = blockAround(port);
  const detail = block
    ? `No range covers it. Creating a range with "startPort": ${block.startPort} makes one of ${block.startPort}–${block.endPort}; then import it again.`
    : 'No range can cover it: ranges lie in 3000–64999. The service has to move to a port of its project.';
  return { ...told, outcome: 'outside', detail };
}
