import { useState } from 'preact/hooks';
import { ownProjects } from '../../access/own-projects.js';
import { mayChange } from '../../access/own-role.js';
import { formatCount, plural } from '../../format.js';
import { Age } from '../../parts/age.js';
import { nameProjects } from '../../parts/choice.js';
import type { Audit } from '../../registry/api.js';
import { auditOf } from '../../registry/audits.js';
import { DEFAULT_SPACE } from '../../registry/port-space.js';
import { type AuditRun, type AuditScope, auditRun, runAudit } from '../../registry/run-audit.js';
import { audits, held, reservations } from '../../registry/store.js';

/** When something was last checked, by whomever, and a button that audits it now. */
export function AuditStatus({ scope }: { scope: AuditScope }) {
  return (
    <span class="audit-status">
      {auditRun.value.phase !== 'running' && <LastChecked scope={scope} />}
      <RunAudit scope={scope} button="link" />
    </span>
  );
}

/** A button that runs an audit, how far it is, and why it was not finished. Not for readers, who may start none. */
export function RunAudit({ scope, button }: { scope: AuditScope; button: string }) {
  const [hasRun, setHasRun] = useState(false);
  const run = auditRun.value;
  const isRunning = run.phase === 'running';
  if (!mayChange.value) return null;
  const press = () => {
    if (isRunning) return run.stop();
    setHasRun(true);
    void runAudit(scope);
  };
  return (
    <span class="audit-status">
      {isRunning && <Progress run={run} />}
      <span role="alert">{run.phase === 'failed' && `The audit was not finished. ${run.reason}`}</span>
      {/* The same button stops it, so that the focus stays where it is. */}
      <button type="button" class={button} onClick={press}>
        {isRunning ? 'Stop' : 'Run an audit'}
      </button>
      <span class="visually-hidden" role="status">
        {isRunning && 'The audit has begun.'}
        {hasRun && run.phase === 'none' && 'The audit is done.'}
      </span>
    </span>
  );
}

function Progress({ run: { scope, done, total } }: { run: Extract<AuditRun, { phase: 'running' }> }) {
  return (
    <>
      <span>
        Checking {describeScope(scope)}
        {total > 0 && `: ${formatCount(done)} of ${plural(total, 'port')}`}
      </span>
      <progress aria-label="Progress of the audit" {...(total > 0 && { value: done, max: total })} />
    </>
  );
}

function LastChecked({ scope }: { scope: AuditScope }) {
  const { newest, oldest, unchecked } = checksOf(scope);
  const where = describeScope(scope);
  if (newest === null) return <span>Not checked yet, {where}.</span>;
  return (
    <span>
      Checked <Age at={newest} />
      {oldest !== null && oldest !== newest && (
        <>
          , some of it <Age at={oldest} />
        </>
      )}
      , {where}
      {unchecked.size > 0 && `; not checked yet: ${nameSome([...unchecked])}`}.
    </span>
  );
}

const SOME = 3;

const nameSome = (names: string[]) =>
  names.length <= SOME ? names.join(', ') : `${names.slice(0, SOME).join(', ')} and ${names.length - SOME} more`;

const describeScope = ({ project, host }: AuditScope) =>
  `${nameProjects(project ?? '')} on ${host === undefined ? 'all hosts' : host}`;

/** When what is held or reserved in a scope was last checked, and which projects were not on which hosts. */
function checksOf(scope: AuditScope): { newest: string | null; oldest: string | null; unchecked: Set<string> } {
  const unchecked = new Set<string>();
  const times: string[] = [];
  for (const [project, hosts] of placesIn(scope)) {
    for (const host of hosts) {
      const audit = auditOf(project, host);
      if (audit === null) unchecked.add(host === DEFAULT_SPACE.host ? project : `${project} on ${host}`);
      else times.push(audit.checkedAt);
    }
  }
  if (times.length === 0 && unchecked.size === 0) times.push(...ofNothingProbed(scope));
  times.sort();
  return { newest: times.at(-1) ?? null, oldest: times[0] ?? null, unchecked };
}

/** Where nothing is held or reserved, a check can still have found who listens uninvited. */
function ofNothingProbed({ project, host }: AuditScope): string[] {
  const wanted = project === undefined ? ownProjects.value : [project];
  const isWideEnough = ({ covers, host: audited }: Audit) =>
    (covers === null || (wanted?.every((name) => covers.includes(name)) ?? false)) &&
    (audited === null || audited === host);
  const audit = audits.value.find(isWideEnough);
  return audit === undefined ? [] : [audit.checkedAt];
}

/** The hosts on which each project has something that can be probed. */
function placesIn(scope: AuditScope): Map<string, Set<string>> {
  const places = new Map<string, Set<string>>();
  for (const { project, host, protocol } of [...held.value.values(), ...reservations.value.values()]) {
    if (protocol === 'udp' || (scope.project ?? project) !== project || (scope.host ?? host) !== host) continue;
    const hosts = places.get(project);
    if (hosts === undefined) places.set(project, new Set([host]));
    else hosts.add(host);
  }
  return places;
}
