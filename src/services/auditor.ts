import * as refusals from '../refusals.js';
import type { Session } from '../registry/session.js';
import type { Audit, AuditScope } from '../schemas/audit.js';
import { type AuditOptions, runAudit } from './audit.js';
import type { Prober } from './prober.js';

const AUDITS_AT_A_TIME = 4;

/** Runs audits that somebody asked for, a bounded number at a time. */
export class Auditor {
  readonly #running = new Set<AbortController>();

  constructor(private readonly prober: Prober) {}

  /** @throws AppError overloaded, and what `runAudit` throws */
  async run(session: Session, scope: AuditScope, { signal, ...options }: AuditOptions = {}): Promise<Audit> {
    if (this.#running.size >= AUDITS_AT_A_TIME) throw refusals.tooManyAuditsRun(AUDITS_AT_A_TIME);
    const ending = new AbortController();
    const leave = () => ending.abort(signal?.reason);
    signal?.addEventListener('abort', leave);
    this.#running.add(ending);
    try {
      signal?.throwIfAborted();
      return await runAudit(session, this.prober, scope, { signal: ending.signal, ...options });
    } finally {
      this.#running.delete(ending);
      signal?.removeEventListener('abort', leave);
    }
  }

  /** Ends those that run, because the process ends; another replica can repeat them. */
  stop(): void {
    for (const audit of this.#running) audit.abort(refusals.shuttingDown());
  }
}
