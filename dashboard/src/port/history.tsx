import { useState } from 'preact/hooks';
import type { components } from '../../generated/contract.js';
import { nameActor, textOf } from '../events/parts.js';
import { formatMoment, formatSpan } from '../format.js';
import { FreeText } from '../parts/free-text.js';
import { useLoaded } from '../parts/loaded.js';
import { StateMark } from '../parts/state-badge.js';
import { answerOf, api } from '../registry/api.js';
import { nameSpot, type Spot } from '../registry/port-space.js';
import { heldBySpot } from '../registry/store.js';

type Holding = components['schemas']['PortHistoryItem'];

/** How many are shown until the user asks for more. */
const HOLDINGS_AT_FIRST = 5;
const MOST_HOLDINGS = 500;

/** Who has held the port, newest first, and who allocated and released it. */
export function PortHistory({ spot }: { spot: Spot }) {
  const { port, host, protocol } = spot;
  const [limit, setLimit] = useState(HOLDINGS_AT_FIRST);
  const { data, error } = useLoaded(
    () =>
      answerOf(api.GET('/v1/ports/{port}/history', { params: { path: { port }, query: { host, protocol, limit } } })),
    [limit, heldBySpot.value.get(nameSpot(spot))?.id],
  );
  return (
    <section aria-labelledby="holders">
      <div class="section-head">
        <h3 id="holders">Who has had it</h3>
      </div>
      {error !== null && <p class="refusal">{error}</p>}
      {data?.items.length === 0 && <p class="quiet">Nobody yet.</p>}
      <ul class="history">
        {data?.items.map((holding) => (
          <Item key={holding.allocationId} holding={holding} />
        ))}
      </ul>
      {data?.nextCursor && limit < MOST_HOLDINGS && (
        <button type="button" class="more" onClick={() => setLimit(Math.min(limit * 4, MOST_HOLDINGS))}>
          Show earlier ones
        </button>
      )}
    </section>
  );
}

function Item({ holding }: { holding: Holding }) {
  const { project, service, environment, allocatedAt, releasedAt, allocatedBy, releasedBy } = holding;
  return (
    <li>
      <StateMark state={releasedAt === null ? 'held' : 'free'} />
      <span>
        {project}/{service}
        {environment !== 'default' && ` · ${environment}`}
      </span>
      <span class="quiet">
        {releasedAt === null ? `${formatMoment(allocatedAt)} – now` : formatSpan(allocatedAt, releasedAt)}
      </span>
      <span class="history-who">
        Got by <FreeText>{textOf(nameActor(allocatedBy))}</FreeText>
        {releasedBy !== null && (
          <>
            , released by <FreeText>{textOf(nameActor(releasedBy))}</FreeText>
          </>
        )}
      </span>
    </li>
  );
}
