import { type Audit, answerOf, api } from './api.js';

/**
 * One audit can have thousands of findings, and the newest often covers everything, or all that was not known before.
 * So one is read first, and then as many at a time as were read so far, but no more than this.
 */
const MOST_AT_A_TIME = 20;
/** Somebody may audit single projects all day. What no audit among these covers counts as not checked yet. */
const MOST_AUDITS = 60;

/**
 * The audits that are kept, newest first, down to where they cover everything.
 * @param known those that were read before: an audit does not change, so that they are not read again
 * @param hosts on which something is held. It is called only once an audit was read, so that no failure of it is left
 * unhandled where that has failed
 */
export async function listAuditsUntilAllIsCovered(
  known: readonly Audit[],
  hosts: () => ReadonlySet<string> | Promise<ReadonlySet<string>>,
): Promise<readonly Audit[]> {
  const found: Audit[] = [];
  let cursor: string | null = null;
  do {
    const query = { limit: Math.min(found.length || 1, MOST_AT_A_TIME), ...(cursor !== null && { cursor }) };
    const answer: { items: Audit[]; nextCursor: string | null } = await answerOf(
      api.GET('/v1/audits', { params: { query } }),
    );
    const isKnown = ({ id }: Audit) => known.some((one) => one.id === id);
    const unknown = answer.items.filter((one) => !isKnown(one));
    found.push(...unknown);
    const isMet = unknown.length < answer.items.length;
    const all = isMet ? [...found, ...known] : found;
    const end = endOfCoverage(all, await hosts());
    if (end !== null || isMet) return all.slice(0, end ?? MOST_AUDITS);
    cursor = answer.nextCursor;
  } while (cursor !== null && found.length < MOST_AUDITS);
  return found;
}

/**
 * How many of the audits, newest first, cover all that is held, and on each host the ports that nobody holds. Null if
 * they do not. A scheduled audit covers the latter on the machine of the service alone.
 */
function endOfCoverage(audits: readonly Audit[], hosts: ReadonlySet<string>): number | null {
  const notProbed = new Set(hosts);
  let isAllHeldCovered = false;
  for (const [index, { covers, host, unallocated, fullyProbedHosts }] of audits.entries()) {
    if (covers !== null) continue;
    for (const probed of fullyProbedHosts) notProbed.delete(probed);
    if (host === null) isAllHeldCovered = true;
    // It has probed all hosts that were in use then.
    if (host === null && unallocated) notProbed.clear();
    if (isAllHeldCovered && notProbed.size === 0) return index + 1;
  }
  return null;
}
