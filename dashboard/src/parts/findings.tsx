import { useState } from 'preact/hooks';
import { formatCount, formatMoment, plural } from '../format.js';
import type { Audit, AuditConflict } from '../registry/api.js';
import { auditState, findings } from '../registry/audit.js';
import { registry } from '../registry/registry.js';
import { selectPort } from '../registry/view.js';
import { FreeText } from './free-text.js';

/** How many findings are shown until the user asks for all. */
const SHOWN_AT_FIRST = 5;

/**
 * The kinds of findings, worst first: what each is called, which cell of the map it looks like, and whether it is
 * useful to show what the audit found there.
 */
const KINDS: Record<AuditConflict['kind'], { name: string; cellClass: string; showsActual?: boolean }> = {
  squatter: { name: 'Uninvited', cellClass: 'conflict', showsActual: true },
  'foreign-listener': { name: 'Stranger', cellClass: 'conflict', showsActual: true },
  'reserved-in-use': { name: 'Too early', cellClass: 'conflict', showsActual: true },
  'duplicate-hostname': { name: 'Hostname twice', cellClass: 'conflict' },
  'not-running': { name: 'Not running', cellClass: 'stopped' },
  unreachable: { name: 'Out of reach', cellClass: 'cooling', showsActual: true },
  'not-judged': { name: 'Not judged', cellClass: 'cooling', showsActual: true },
};
const WORST_FIRST = Object.keys(KINDS);

/** The progress of an audit while this page runs it, and else the findings of the last one that is kept. */
export function Findings() {
  const state = auditState.value;
  switch (state.phase) {
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
        <>
          <section class="panel audit" aria-label="Audit">
            <p role="alert">The audit was not finished. {state.reason}</p>
          </section>
          <Last />
        </>
      );
    default:
      return <Last />;
  }
}

function Last() {
  const current = registry.value;
  return current?.lastAudit ? <Found host={current.space.host} audit={current.lastAudit} /> : null;
}

function Found({ host, audit }: { host: string; audit: Audit }) {
  const [all, setAll] = useState(false);
  const sorted = findings.value.toSorted((a, b) => WORST_FIRST.indexOf(a.kind) - WORST_FIRST.indexOf(b.kind));
  const shown = all ? sorted : sorted.slice(0, SHOWN_AT_FIRST);
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
        {shown.map((finding) => (
          <Finding key={`${finding.kind} ${finding.host} ${finding.protocol} ${finding.port}`} finding={finding} />
        ))}
      </ul>
      {sorted.length > SHOWN_AT_FIRST && (
        <button type="button" class="more" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : `Show all ${formatCount(sorted.length)}`}
        </button>
      )}
    </section>
  );
}

function Finding({ finding }: { finding: AuditConflict }) {
  const { kind, port, host, protocol, detail, actual } = finding;
  const { name, cellClass, showsActual } = KINDS[kind];
  return (
    <li>
      <span class={`cell ${cellClass}`} aria-hidden="true" />
      <span class="finding-kind">{name}</span>
      {port === null ? (
        <span class="number">{host}</span>
      ) : (
        <button type="button" class="link number" onClick={() => selectPort(port, { host, protocol })}>
          {port}
        </button>
      )}
      <span class="finding-detail">
        <FreeText>{detail}</FreeText>{' '}
        {showsActual && (
          <span class="quiet">
            Found: <FreeText>{actual}</FreeText>.
          </span>
        )}
      </span>
    </li>
  );
}
