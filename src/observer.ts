import type { ProblemCode } from './errors.js';

/** What happened, told to whoever measures; each call is cheap and never throws. */
export interface Observer {
  /** A batch of a queue began: how many requests it has, and how long its oldest had waited. */
  batched(queue: string, size: number, waitedSeconds: number): void;
  /** A transaction was committed that changed allocations of a project. */
  wrote(project: string, changed: { allocated: number; released: number }): void;
  probed(outcome: string, seconds: number): void;
  /** An audit of everything ended. @param seeksStrangers whether it looked at ports that nobody holds */
  audited(conflicts: readonly { kind: string }[], seeksStrangers: boolean): void;
  refused(code: ProblemCode): void;
}

export const unobserved: Observer = { batched() {}, wrote() {}, probed() {}, audited() {}, refused() {} };
