import { useState } from 'preact/hooks';
import { formatCount, formatMoment, plural } from '../format.js';
import type { AuditConflict } from '../registry/api.js';
import { auditState, findings } from '../registry/audit.js';
import { selectPort } from '../registry/view.js';

/** Until more are asked for. */
const FEW = 5;

/** Worst first; `told` where what was found says more than the finding itself. */
const KINDS: Record<AuditConflict['kind'], { name: string; look: string; told?: boolean }> = {
  squatter: { name: 'Uninvited', look: 'conflict', told: true },
  'reserved-in-use': { name: 'Too early', look: 'conflict', told: true },
  'duplicate-hostname': { name: 'Hostname twice', look: 'conflict' },
  'not-running': { name: 'Not running', look: 'down' },
  unreachable: { name: 'Out of reach', look: 'cooling', told: true },
};
const WORST_FIRST = Object.keys(KINDS);

/** How far the audit is, and then what it found, with what to do about each. */
export function Findings() {
  const state = auditState.value;
  switch (state.phase) {
    case 'none':
      return null;
    case 'running':
      return (
        <section class="panel audit" aria-label="Audit">
          <p>
            Auditing {state.host}
            {state.total > 0 && `: ${formatCount(state.done)} of ${plural(state.total, 'port')}`}
          </p>
          <progress aria-label="Progress of the audit" max={state.total || 1} value={state.done} />
          <button type="button" class="button" onClick={state.stop}>
            Stop
          </button>
        </section>
      );
    case 'failed':
      return (
        <section class="panel audit" aria-label="Audit">
          <p role="alert">The audit was not finished. {state.reason}</p>
        </section>
      );
    case 'done':
      return <Found {...state} />;
  }
}

function Found({ host, audit }: Extract<ReturnType<typeof auditState.peek>, { phase: 'done' }>) {
  const [all, setAll] = useState(false);
  const sorted = findings.value.toSorted((a, b) => WORST_FIRST.indexOf(a.kind) - WORST_FIRST.indexOf(b.kind));
  const few = all ? sorted : sorted.slice(0, FEW);
  return (
    <section class="panel findings" aria-labelledby="findings">
      <h2 id="findings">
        {sorted.length === 0 ? 'The audit found nothing wrong' : `The audit found ${plural(sorted.length, 'thing')}`}
      </h2>
      <p class="quiet">
        {host}, {formatMoment(audit.checkedAt)}: {plural(audit.checkedPorts, 'port')} probed in{' '}
        {formatCount(Math.round(audit.durationMs))} ms, {formatCount(audit.inUse)} running as registered
      </p>
      <ul>
        {few.map((finding) => (
          <Finding key={`${finding.kind} ${finding.host} ${finding.protocol} ${finding.port}`} finding={finding} />
        ))}
      </ul>
      {sorted.length > FEW && (
        <button type="button" class="more" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : `Show all ${formatCount(sorted.length)}`}
        </button>
      )}
    </section>
  );
}

function Finding({ finding }: { finding: AuditConflict }) {
  const { kind, port, host, protocol, detail, actual } = finding;
  const { name, look, told } = KINDS[kind];
  return (
    <li>
      <span class={`cell ${look}`} aria-hidden="true" />
      <span class="finding-kind">{name}</span>
      {port === null ? (
        <span class="number">{host}</span>
      ) : (
        <button type="button" class="link number" onClick={() => selectPort(port, { host, protocol })}>
          {port}
        </button>
      )}
      <span class="finding-detail">
        {detail} {told && <span class="quiet">Found: {actual}.</span>}
      </span>
    </li>
  );
}
