import { type Kysely, sql, type Transaction } from 'kysely';
import type { IsAbandoned } from '../batcher.js';
import type { Tables } from '../database/tables.js';
import { keptForOther } from '../refusals.js';
import type { Import } from '../schemas/import.js';
import type { Access } from './access.js';
import type { Adopt, Adoption, IdempotencyClaim } from './commands.js';
import { findAnswerInTurn, insertAnswers } from './idempotency.js';
import { executeLocked } from './project-transaction.js';
import { blockAround } from './ranges.js';
import type { Store } from './store.js';

/** A port to adopt, or what is wrong with a line that should have been one. */
export type ImportItem = Omit<Adopt, 'kind'> | { unreadable: string };

/** An import spans projects: its Idempotency-Key is kept under this, which is no project's name. */
const NO_PROJECT = '';
/** Imports wait for one another and not, on a connection each, for the locks of one busy project. */
const IMPORTS = 'imports of ports';

/**
 * Adopts ports that are in use already, each into the project whose range covers it, and tells what became
 * of each. One transaction, under the locks of all projects involved; none but those that the caller sees.
 * @param options with `dryRun`, the same report, and nothing is written, neither an answer for `idempotency`
 * @throws AppError idempotency-key-reused, forbidden
 */
export function importPorts(
  store: Store,
  items: readonly ImportItem[],
  options: { dryRun: boolean; idempotency: IdempotencyClaim | null },
  isAbandoned?: IsAbandoned,
): Promise<{ report: Import; replayed: boolean }> {
  const { dryRun } = options;
  const claim = dryRun ? null : options.idempotency;
  const { access } = store;
  const work = async (db: Kysely<Tables>) => {
    const imported = await db.transaction().execute(async (trx) => {
      // Two imports need not have a range in common to wait for.
      const answer = claim && (await findAnswerInTurn(trx, NO_PROJECT, claim));
      if (answer) return { report: answer as Import, replayed: true };
      const ports = items.flatMap((item) => ('port' in item ? [item.port] : []));
      const ranges = await lockRangesOf(trx, ports, access);
      const foreign = await findForeign(trx, ports, access);
      const adoptions = new Map<ImportItem, Adoption>();
      for (const project of new Set(ranges.map((range) => range.project))) {
        const own = ranges.filter((range) => range.project === project);
        const mine = items.flatMap((item) =>
          'port' in item && own.some((range) => range.start_port <= item.port && item.port <= range.end_port)
            ? [item]
            : [],
        );
        const commands = mine.map((item) => ({ kind: 'adopt' as const, ...item }));
        const outcomes = await executeLocked(trx, project, own, commands, { dryRun });
        for (const [place, outcome] of outcomes.entries()) {
          if (!outcome.ok) throw outcome.error;
          adoptions.set(mine[place] as ImportItem, redact(outcome.value as Adoption, access));
        }
      }
      const report: Import = { dryRun, items: items.map((item) => describe(item, adoptions.get(item), foreign)) };
      if (claim) await insertAnswers(trx, NO_PROJECT, [{ ...claim, response: report }], 200);
      return { report, replayed: false };
    });
    if (!imported.replayed && !dryRun) observe(store, imported.report);
    return imported;
  };
  return store.change('imports', work, { lane: IMPORTS, isAbandoned });
}

function observe({ observer }: Store, { items }: Import): void {
  for (const { outcome, allocation } of items) {
    if (outcome === 'adopted' && allocation) observer.wrote(allocation.project, { allocated: 1, released: 0 });
  }
}

function redact({ holder, ...adoption }: Adoption, access: Access): Adoption {
  return holder && !access.sees(holder.project) ? { ...adoption, detail: keptForOther(holder).message } : adoption;
}

function describe(
  item: ImportItem,
  adoption: Adoption | undefined,
  foreign: ReadonlyMap<number, string>,
): Import['items'][number] {
  if ('unreadable' in item) {
    return { port: null, host: null, outcome: 'invalid', detail: item.unreadable, allocation: null };
  }
  const { port, host } = item;
  if (adoption) return { port, host, ...adoption };
  const project = foreign.get(port);
  if (project !== undefined) {
    const detail = `It is in a range of ${project}, which this key does not cover.`;
    return { port, host, outcome: 'conflict', detail, allocation: null };
  }
  const block = blockAround(port);
  const detail = block
    ? `No range covers it. Creating a range with "startPort": ${block.startPort} makes one of ${block.startPort}–${block.endPort}; then import it again.`
    : 'No range can cover it: ranges lie in 3000–64999. The service has to move to a port of its project.';
  return { port, host, outcome: 'outside', detail, allocation: null };
}

/**
 * All ranges of every project that covers one of the ports and that the caller sees, locked in the global order, as
 * every allocation does.
 */
async function lockRangesOf(trx: Transaction<Tables>, ports: number[], { projects }: Access) {
  return trx
    .selectFrom('port_ranges')
    .select(['start_port', 'end_port', 'reuse_cooldown_seconds', 'project'])
    .where('project', 'in', (covering) =>
      covering
        .selectFrom('port_ranges as covering')
        .select('covering.project')
        .innerJoin(sql<{ port: number }>`unnest(${ports}::integer[])`.as<'asked'>(sql`asked (port)`), (join) =>
          join.on(sql<boolean>`asked.port between covering.start_port and covering.end_port`),
        ),
    )
    .$if(projects !== null, (q) => q.where('project', 'in', projects ?? []))
    .orderBy('start_port')
    .forUpdate('port_ranges')
    .execute();
}

/** The owner of each port that lies in a range of a project that the caller does not see. */
async function findForeign(
  trx: Transaction<Tables>,
  ports: number[],
  { projects }: Access,
): Promise<Map<number, string>> {
  if (projects === null) return new Map();
  const { rows } = await sql<{ port: number; project: string }>`
    select asked.port, r.project
    from unnest(${ports}::integer[]) asked (port)
    join port_ranges r on asked.port between r.start_port and r.end_port
    where r.project <> all(${projects})`.execute(trx);
  return new Map(rows.map(({ port, project }) => [port, project]));
}
