import type { ProblemCode } from './errors.js';

/** Receives what the service measures. Implementations are cheap and never throw. */
export interface Observer {
  /** A batch of requests of a queue began. @param waitedSeconds how long the oldest of them had waited */
  batched(queue: string, size: number, waitedSeconds: number): void;
  /** A transaction was committed that allocated or released ports of a project. */
  wrote(project: string, changed: { allocated: number; released: number }): void;
  probed(outcome: string, seconds: number): void;
  /** An audit of everything ended. @param probedUnallocated whether it also probed ports that nobody holds */
  audited(conflicts: readonly { kind: string }[], probedUnallocated: boolean): void;
  refused(code: ProblemCode): void;
  /** A connection was cut, because of a limit. */
  cut(reason: string): void;
}

export const unobserved: Observer = { batched() {}, wrote() {}, probed() {}, audited() {}, refused() {}, cut() {} };
