import { type CellState, STATES } from '../registry/cells.js';

/** What the shapes and colours of the map mean. */
export function Legend() {
  return (
    <ul class="legend" aria-label="Legend">
      {(Object.keys(STATES) as CellState[]).map((state) => (
        <li key={state} title={STATES[state].meaning}>
          <span class={`cell ${state}`} aria-hidden="true" /> {STATES[state].name}
        </li>
      ))}
    </ul>
  );
}
