import { LRUCache } from 'lru-cache';
import type { ProjectLimits } from '../../config/project-limits.js';

/** The part of what is left that a replica may add before it counts again. */
const SHARE = 1 / 8;
const ALLOWANCE_MS = 60_000;
/** For so long nothing is counted again after a count that found no room. Only time makes room for these rows. */
const FULL_MS = 1000;
const MAX_KNOWN_PROJECTS = 10_000;

type RowKind = 'reservations' | 'idempotencyKeys';

interface Allowance {
  rows: number;
  /** Whether the last count found no room, so that the answer for now is none. */
  isFull: boolean;
  /** By `performance.now()`. */
  until: number;
}

/**
 * Limits how many reservations and idempotency keys each project has. To count 100,000 rows takes tens of milliseconds,
 * too long for every transaction that adds one. So a replica counts now and then, in a transaction that has locked the
 * project, and may then add an eighth of what is left without counting.
 *
 * An example, with a limit of 1000 keys. The replica counts 200 keys: 800 are left, and it may add 100 within the next
 * minute. After these it counts again, finds 300, and may add 87. Near the limit it counts each time, so that one
 * replica never exceeds the limit. A second replica that counted a moment earlier may add its own eighth meanwhile, and
 * then finds the limit reached too: each further replica exceeds the limit by at most an eighth of it, in the minute
 * before all of them refuse.
 */
export class Allowances {
  readonly #allowances = new LRUCache<string, Allowance>({ max: MAX_KNOWN_PROJECTS });

  constructor(readonly limits: ProjectLimits) {}

  /**
   * Takes `wanted` rows from the allowance.
   * @returns how many rows may be added; null if they have to be counted first
   */
  take(kind: RowKind, project: string, wanted: number): number | null {
    if (this.limits[kind] === Number.POSITIVE_INFINITY || wanted === 0) return Number.POSITIVE_INFINITY;
    const allowance = this.#allowances.get(nameOf(kind, project));
    if (!allowance || performance.now() >= allowance.until) return null;
    if (allowance.isFull) return 0;
    if (allowance.rows < wanted) return null;
    allowance.rows -= wanted;
    return wanted;
  }

  /**
   * Tells that the project has `rows` rows, of which the caller is about to add up to `wanted`.
   * @returns how many rows may be added
   */
  counted(kind: RowKind, project: string, rows: number, wanted: number): number {
    const left = Math.max(0, this.limits[kind] - rows);
    const name = nameOf(kind, project);
    const isFull = left === 0;
    const allowed = Math.max(0, Math.floor((left - wanted) * SHARE));
    const until = performance.now() + (isFull ? FULL_MS : ALLOWANCE_MS);
    this.#allowances.set(name, { rows: allowed, isFull, until });
    return left;
  }
}

const nameOf = (kind: RowKind, project: string) => `${kind} ${project}`;
