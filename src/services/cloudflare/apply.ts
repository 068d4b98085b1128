import type { Kysely } from 'kysely';
import type { Tables } from '../../database/tables.js';
import { deleteWrittenServices, saveWrittenServices } from '../../repositories/events/cloudflare.js';
import type { CloudflareChange, CloudflareConflict } from '../../schemas/events/cloudflare.js';
import type { CloudflareApi } from './api.js';
import { type Plan, recordChange } from './plan.js';
import { isMarked } from './remote.js';
import type { Remembered } from './situation.js';

/** What a pass has done so far. It holds also when the pass breaks off. */
export interface Progress {
  /** What Cloudflare has changed, by all plans of the pass. */
  changes: CloudflareChange[];
  conflicts: CloudflareConflict[];
  /** How many changes of the plan are still to be made; null until there is a plan. */
  left: number | null;
}

/**
 * Carries out a plan. A hostname that is given up first loses its record and then its rule, and a new one gets its rule
 * first, so that no record ever leads to a tunnel without the rule. Each step is repeatable: whatever the process or
 * Cloudflare breaks off, the next plan has what is left.
 *
 * Cloudflare replaces the configuration of a tunnel as a whole and knows no condition for that. So its version is read
 * right before and right after. What somebody else writes between the two is lost, if it comes within the milliseconds
 * between the first reading and the writing; then Cloudflare has counted one version more, and that is told.
 * @returns whether it is carried out; false if somebody else changed something meanwhile, so that it has to be made again
 */
export async function applyPlan(
  api: CloudflareApi,
  db: Kysely<Tables>,
  tunnelId: string,
  plan: Plan,
  remembered: Remembered,
  progress: Progress,
  signal: AbortSignal,
): Promise<boolean> {
  let left = plan.changes.length;
  progress.left = left;
  const ended = (count: number, made: CloudflareChange[]) => {
    left -= count;
    progress.left = left;
    progress.changes.push(...made);
  };

  for (const record of plan.deletions) {
    const current = await api.findRecord(record, signal);
    if (current && !isMarked(current, tunnelId)) return false;
    if (current) await api.deleteRecord(record, signal);
    ended(1, current ? [recordChange('delete', record.name, tunnelId)] : []);
  }

  if (plan.config !== null) {
    const { version } = await api.readTunnel(signal);
    if (version !== plan.version) return false;
    // Before it is written, because this process may not live to learn that Cloudflare has it.
    await saveWrittenServices(db, tunnelId, withFormer(plan.rules, remembered));
    const written = await api.writeTunnel(plan.config, signal);
    ended(plan.ruleChanges.length, plan.ruleChanges);
    if (written > version + 1) progress.conflicts.push(overwritten(version, written));
    const after = await api.readTunnel(signal);
    if (after.version !== written) return false;
  }
  await saveWrittenServices(db, tunnelId, findNew(plan.rules, remembered));
  await deleteWrittenServices(db, tunnelId, plan.forgotten);

  for (const { hostname, zoneId } of plan.creations) {
    const refusal = await api.createRecord(hostname, zoneId, signal);
    if (refusal !== null) progress.conflicts.push({ kind: 'refused', hostname, detail: `${refusal}.` });
    ended(1, refusal === null ? [recordChange('create', hostname, tunnelId)] : []);
  }
  return true;
}

const withFormer = (rules: ReadonlyMap<string, string>, remembered: Remembered) =>
  new Map([...rules].map(([name, service]) => [name, [...new Set([...(remembered.get(name) ?? []), service])]]));

/** The rules that are not remembered as they are. */
function findNew(rules: ReadonlyMap<string, string>, remembered: Remembered): Map<string, string[]> {
  const isKnown = (name: string, service: string) => {
    const known = remembered.get(name);
    return known?.length === 1 && known[0] === service;
  };
  return new Map([...rules].filter(([name, service]) => !isKnown(name, service)).map(([name, one]) => [name, [one]]));
}

function overwritten(before: number, after: number): CloudflareConflict {
  return {
    kind: 'overwritten',
    hostname: '',
    detail:
      `Somebody else changed the tunnel at the same moment: it went from version ${before} to ${after}. That change may ` +
      'be lost; look whether it is still there, and make it again if it is not.',
  };
}
