import type { Caller } from '../access/caller.js';
import * as audits from '../repositories/audits.js';
import type { Audit, AuditFigures, AuditScope } from '../schemas/audit.js';
import type { Session } from './session.js';

/**
 * How many audits are kept that cover the same projects: the newest, and at most as many as have so many bytes of JSON
 * together. A key of some projects can therefore fill the database no further, and takes no room from the audits of
 * everything.
 */
const KEPT = { limit: 1000, maxBytes: 256 * 1024 * 1024 };

/**
 * Keeps an audit that is finished, and deletes the oldest ones that it leaves no room for.
 * @param requestedBy who asked for it, if that is not the caller of the session
 * @throws AppError forbidden
 */
export async function keepAudit(
  session: Session,
  scope: AuditScope,
  figures: AuditFigures,
  requestedBy = nameOf(session.access.caller),
): Promise<Audit> {
  const covers = audits.coveredBy(session.access, scope);
  return session.change('audits', async (trx) => {
    const audit = await audits.insertAudit(trx, { ...figures, scope, covers, requestedBy });
    await audits.deleteSurplusAudits(trx, covers, KEPT);
    return audit;
  });
}

const nameOf = (caller: Caller): string => (caller.kind === 'key' ? caller.name : caller.kind);
