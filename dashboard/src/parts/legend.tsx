import { type CellState, STATES } from '../registry/cells.js';
import { space } from '../registry/registry.js';

/** What the shapes and colours of the map mean. */
export function Legend() {
  const absent: CellState[] = space.value.protocol === 'udp' ? ['unseen', 'unchecked', 'stopped'] : ['allocated'];
  const states = (Object.keys(STATES) as CellState[]).filter((state) => !absent.includes(state));
  return (
    <ul class="legend" aria-label="Legend">
      {states.map((state) => (
        <li key={state} title={STATES[state].meaning}>
          <span class={`cell ${state}`} aria-hidden="true" /> {STATES[state].name}
        </li>
      ))}
    </ul>
  );
}
