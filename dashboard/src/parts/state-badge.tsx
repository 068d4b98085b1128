import { type PortState, STATES } from '../registry/states.js';

/** The symbol of a state, as the cells of the map have it. Beside it stands what it means, for who cannot see it. */
export function StateMark({ state }: { state: PortState }) {
  return <span class={`cell ${state}`} aria-hidden="true" />;
}

/** A state: its symbol and its name, with what it means as its tip. */
export function StateBadge({ state }: { state: PortState }) {
  const { name, meaning } = STATES[state];
  return (
    <span class="state-badge" title={meaning}>
      <StateMark state={state} /> {name}
    </span>
  );
}
