import { type Actor, SERVICE } from '../access/actor.js';
import { AppError } from '../errors.js';
import type { CommandDefinition, Needs } from './command.js';
import { adopt } from './commands/adopt.js';
import { allocate } from './commands/allocate.js';
import { allocateBoth } from './commands/allocate-both.js';
import { allocateEnvironment } from './commands/allocate-environment.js';
import { cancelReservation } from './commands/cancel-reservation.js';
import { claimReservation } from './commands/claim-reservation.js';
import { getOrAllocate } from './commands/get-or-allocate.js';
import { release } from './commands/release.js';
import { releaseEnvironment } from './commands/release-environment.js';
import { releaseService } from './commands/release-service.js';
import { renewReservation } from './commands/renew-reservation.js';
import { reserve } from './commands/reserve.js';
import { update } from './commands/update.js';
import { updateService } from './commands/update-service.js';
import type { ProjectState } from './project-state.js';

/** Every kind of command. A new one is a file in commands/ and a line here. */
// `satisfies` refuses an entry that lacks a part, and the types below follow from the entries.
const commands = {
  'get-or-allocate': getOrAllocate,
  allocate,
  'allocate-both': allocateBoth,
  'allocate-environment': allocateEnvironment,
  release,
  'release-service': releaseService,
  'release-environment': releaseEnvironment,
  update,
  'update-service': updateService,
  reserve,
  'claim-reservation': claimReservation,
  'renew-reservation': renewReservation,
  'cancel-reservation': cancelReservation,
  adopt,
} satisfies Record<string, CommandDefinition<never, unknown>>;

type Commands = typeof commands;
type Kind = keyof Commands;
type InputOf<K extends Kind> = Commands[K] extends CommandDefinition<infer Input, infer _> ? Input : never;
type Result = ReturnType<Commands[Kind]['decide']>;

/** One change that is asked of a project: the kind of command, who asks (`SERVICE` where it is not said), and its input. */
export type ProjectCommand = { [K in Kind]: { kind: K; by?: Actor } & InputOf<K> }[Kind];
export type ResultOf<C extends ProjectCommand> = ReturnType<Commands[C['kind']]['decide']>;

/**
 * What became of one command. A refusal is a value here, so that it cannot touch the other commands of a transaction.
 */
export type Outcome = { ok: true; value: Result } | { ok: false; error: AppError };

export const needsOf = (command: ProjectCommand): Needs => definitionOf(command).needs(command);
export const isRepeatable = (command: ProjectCommand): boolean => definitionOf(command).repeatable(command);

/** Decides commands one after another, in the order given, as if each had a transaction of its own. */
export function decideAll(state: ProjectState, given: readonly ProjectCommand[]): Outcome[] {
  return given.map((command) => {
    state.writes.beginCommand(command.by ?? SERVICE);
    try {
      return { ok: true, value: definitionOf(command).decide(state, command) };
    } catch (error) {
      if (error instanceof AppError) return { ok: false, error };
      throw error;
    }
  });
}

/** TypeScript does not see that a command's kind picks the definition that takes this very command. */
function definitionOf(command: ProjectCommand): CommandDefinition<ProjectCommand, Result> {
  return commands[command.kind] as CommandDefinition<ProjectCommand, Result>;
}
