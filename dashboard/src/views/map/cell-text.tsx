import { makeTextVisible } from '../../../../src/input/visible.js';
import { Age } from '../../parts/age.js';
import { FreeText } from '../../parts/free-text.js';
import { StateMark } from '../../parts/state-badge.js';
import { findingsBySpot } from '../../registry/audits.js';
import { nameSpot } from '../../registry/port-space.js';
import { STATES } from '../../registry/states.js';
import { listeningBySpot } from '../../registry/store.js';
import type { Cell } from './cells.js';

/** What stands in the cell where there is room; null for a port that nobody has. */
export function nameOf({ holder }: Cell): string | null {
  if (holder === null) return null;
  return holder.service ?? makeTextVisible(('reservedBy' in holder && holder.reservedBy) || 'reserved');
}

/** The environment of a port that is held; null if it is `default`, as most are. */
export function environmentOf({ holder }: Cell): string | null {
  return holder !== null && 'environment' in holder && holder.environment !== 'default' ? holder.environment : null;
}

/** `3104, in use, api, environment staging`: the cell for users of screen readers. */
export function describeCell(cell: Cell): string {
  const { port, state, exclusion } = cell;
  const [name, environment] = [nameOf(cell), environmentOf(cell)];
  const parts = [String(port), STATES[state].name.toLowerCase()];
  if (name !== null) parts.push(name);
  if (environment !== null) parts.push(`environment ${environment}`);
  if (state === 'excluded' && exclusion !== null) parts.push(makeTextVisible(exclusion));
  return parts.join(', ');
}

/** What the tip of a cell says. */
export function CellTip({ cell }: { cell: Cell }) {
  const { port, state, holder, exclusion } = cell;
  const spot = nameSpot(cell);
  const environment = environmentOf(cell);
  const listener = listeningBySpot.value.get(spot);
  const lastSeenAt = holder !== null && 'lastUsedAt' in holder ? holder.lastUsedAt : null;
  return (
    <>
      <strong class="number">{port}</strong> <StateMark state={state} /> {STATES[state].name}
      {holder !== null && (
        <div>
          <FreeText>{`${holder.project}/${nameOf(cell)}`}</FreeText>
          {environment !== null && ` · ${environment}`}
        </div>
      )}
      {holder !== null && 'expiresAt' in holder && (
        <div>
          Until <Age at={holder.expiresAt} />
        </div>
      )}
      {listener?.process && (
        <div>
          <FreeText>{listener.process}</FreeText> listens
        </div>
      )}
      {state === 'stopped' && lastSeenAt !== null && (
        <div>
          Last seen <Age at={lastSeenAt} />
        </div>
      )}
      {findingsBySpot.value.get(spot)?.map((finding) => (
        <div key={finding.kind}>
          <FreeText>{finding.detail}</FreeText>
        </div>
      ))}
      {exclusion !== null && (
        <div>
          <FreeText>{exclusion}</FreeText>
        </div>
      )}
    </>
  );
}
