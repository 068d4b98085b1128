import type { AllocationKey, Space } from '../keys.js';
import type { IdempotencyKey } from '../repositories/idempotency-keys.js';
import type { ProjectState } from './project-state.js';

/** A port that a command may take: one particular port, or null for the lowest that is free. */
export interface Take extends Space {
  port: number | null;
  /** With null for `port`: a port that is taken instead of the lowest one if it is free. */
  prefer?: number | null;
  /** With null for `port`: the command has to see every free port, and not only the lowest one. */
  all?: true;
}

/** What one command has to see before it can be decided. look.ts reads it for all commands of a transaction at once. */
export interface Needs {
  /** Every active allocation of these keys. */
  keys?: AllocationKey[];
  /** These allocations, active or released. */
  ids?: string[];
  /** This reservation, whatever its status, and the allocation that it was claimed as. */
  reservationId?: string;
  /** Every active allocation of this environment, on one host and protocol or on all. */
  environment?: Partial<Space> & { environment: string };
  /** The allocation that holds this port. */
  port?: Space & { port: number };
  /** Whether the command may release what `keys`, `ids` and `environment` name. */
  releases?: true;
  /** The environment whose record the command may change. */
  put?: string;
  /** False if the command neither changes nor answers the metadata of what is read. Thousands of rows can have some. */
  metadata?: false;
  /** Ports that the command may take. */
  takes?: Take[];
  /** Ports that the command may release, as far as they are known before anything is read. */
  frees?: (Space & { port: number })[];
  /** The Cloudflare hostnames that the command sets. */
  hostnames?: string[];
  /** Environments in which the command may take a port. The hosts are those of `takes`. */
  environments?: string[];
  /** Whether the command may store a reservation. */
  reserves?: boolean;
  /** The answer that was given under this key before. */
  idempotency?: IdempotencyKey | null;
}

/**
 * What one kind of command is. It never talks to the database: `needs` says what has to be
 * read for it, and `decide` works on what was read.
 */
export interface CommandDefinition<Input, Result> {
  needs(input: Input): Needs;
  /**
   * Decides the command and records in `state` what has to be written. A refusal has to be thrown before anything is
   * recorded, so that a refused command changes nothing.
   * @throws AppError the refusal
   */
  decide(state: ProjectState, input: Input): Result;
  /**
   * Whether the command may be executed again when nobody knows whether it was committed the first time. It may where
   * the caller gets what it asked for either way, and where nothing is undone that others did in between.
   */
  repeatable(input: Input): boolean;
}

/** For `repeatable`: details that are applied again would undo what somebody else has changed in between. */
export const hasNoDetails = (details: object): boolean => Object.keys(details).length === 0;
