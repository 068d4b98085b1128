import { StateBadge } from '../../parts/state-badge.js';
import { space } from '../../registry/filters.js';
import { type PortState, VISIBLE_STATES } from '../../registry/states.js';

/** States that are told by probes, which UDP has none of, and the one in place of them. */
const PROBED: PortState[] = ['in_use', 'stopped', 'unseen', 'unchecked'];

/** What the shapes and colours of the map mean. */
export function Legend() {
  const absent = space.value.protocol === 'udp' ? PROBED : ['held'];
  const states = VISIBLE_STATES.filter((state) => !absent.includes(state));
  return (
    <ul class="legend" aria-label="Legend">
      {states.map((state) => (
        <li key={state}>
          <StateBadge state={state} />
        </li>
      ))}
    </ul>
  );
}
