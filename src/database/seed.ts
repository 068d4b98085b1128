import { type Kysely, sql } from 'kysely';
import { SERVICE } from '../access/actor.js';
import { RANGE_SIZE } from '../schemas/range.js';
import { actingAs } from './actors.js';
import type { Tables } from './tables.js';

/** The ranges that a new registry starts with. */
export const seedRanges = [
  { start_port: 3000, project: 'meta-supervisor', kind: 'project' },
  { start_port: 3100, project: 'consilio', kind: 'project' },
  { start_port: 3200, project: 'openhorizon', kind: 'project' },
  { start_port: 3300, project: 'odin', kind: 'project' },
  { start_port: 3400, project: 'health-agent', kind: 'project' },
  { start_port: 3500, project: 'quiculum-monitor', kind: 'project' },
  { start_port: 9000, project: 'shared-services', kind: 'shared' },
] as const;

/**
 * Inserts those of the seed ranges that overlap no range. It changes no range, and can be repeated.
 * @returns how many were inserted
 */
export async function seed(db: Kysely<Tables>, reuseCooldownSeconds: number): Promise<number> {
  const ranges = seedRanges.map((range) => ({
    ...range,
    end_port: range.start_port + RANGE_SIZE[range.kind] - 1,
    description: null,
    reuse_cooldown_seconds: reuseCooldownSeconds,
  }));
  const inserted = await actingAs(db, SERVICE, (trx) =>
    trx
      .insertInto('port_ranges')
      .values(ranges)
      .onConflict((conflict) => conflict.doNothing())
      .returning('start_port')
      .execute(),
  );
  return inserted.length;
}

/**
 * Seeds a registry that has no range and no allocation, not even a released one. So a range that somebody deleted does
 * not come back with the next start, unless every range was deleted before anything was allocated.
 */
export async function seedIfNew(db: Kysely<Tables>, reuseCooldownSeconds: number): Promise<number> {
  const { rows } = await sql<{ used: boolean }>`
    select exists (select from port_ranges) or exists (select from port_allocations) as used`.execute(db);
  return rows[0]?.used ? 0 : seed(db, reuseCooldownSeconds);
}
