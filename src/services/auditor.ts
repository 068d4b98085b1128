import * as refusals from '../refusals.js';
import type { Session } from '../registry/session.js';
import type { Audit, AuditScope } from '../schemas/audit.js';
import { type AuditOptions, runAudit } from './audit.js';
import type { Prober } from './prober.js';

const AUDITS_AT_A_TIME = 4;

/** Runs the audits that callers ask for, at most `AUDITS_AT_A_TIME` at once. The scheduled audit does not count. */
export class Auditor {
  readonly #running = new Set<AbortController>();

  constructor(private readonly prober: Prober) {}

  /** @throws AppError overloaded, and what `runAudit` throws */
  async run(session: Session, scope: AuditScope, { signal, ...options }: AuditOptions = {}): Promise<Audit> {
    if (this.#running.size >= AUDITS_AT_A_TIME) throw refusals.tooManyAuditsRun(AUDITS_AT_A_TIME);
    const controller = new AbortController();
    const onAbort = () => controller.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort);
    this.#running.add(controller);
    try {
      signal?.throwIfAborted();
      return await runAudit(session, this.prober, scope, { signal: controller.signal, ...options });
    } finally {
      this.#running.delete(controller);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Ends the audits that run, because the process is stopping. Their callers can repeat them on another replica. */
  stop(): void {
    for (const controller of this.#running) controller.abort(refusals.shuttingDown());
  }
}
