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
  /** @param seconds the age of the oldest event that has no position yet, so that no reader sees it; 0 if there is none */
  eventsWaiting(seconds: number): void;
  /** @param open how many readers this process streams events to */
  eventStreams(open: number): void;
  /** An event was sent to a webhook. `disabled`: the receiver's answer has switched the webhook off. */
  webhookAttempted(outcome: 'delivered' | 'failed' | 'disabled'): void;
  /** Of the replica that sends. @param oldestSeconds for how long the oldest delivery has been pending; 0 if none is */
  webhooksPending(oldestSeconds: number): void;
  /**
   * A comparison of the tunnel with the registry ended.
   * @param outcome `succeeded` if Cloudflare has all that was to be changed
   */
  cloudflarePass(outcome: 'succeeded' | 'failed'): void;
  /**
   * What the database has of the passes of all replicas.
   * @param succeededAt when the last one succeeded; null if none has
   * @param pendingChanges how many changes the last one has left; null if that is not known
   */
  cloudflareState(succeededAt: Date | null, pendingChanges: number | null): void;
}

export const unobserved: Observer = {
  batched() {},
  wrote() {},
  probed() {},
  audited() {},
  refused() {},
  cut() {},
  eventsWaiting() {},
  eventStreams() {},
  webhookAttempted() {},
  webhooksPending() {},
  cloudflarePass() {},
  cloudflareState() {},
};
