import { useState } from 'preact/hooks';
import { formatAge, formatMoment } from '../format.js';
import {
  type Allocation,
  answerOf,
  api,
  describeFailure,
  type HealthCheck,
  listAll,
  MAX_PAGE,
} from '../registry/api.js';
import { refresh, registry, space } from '../registry/registry.js';
import { useLoaded } from './loaded.js';

/** How many are shown until the user asks for more. */
const CHECKS_AT_FIRST = 5;
const HOLDERS_AT_FIRST = 5;

/** The outcomes of a probe: what each is called, and which cell of the map it looks like. */
const OUTCOMES: Record<HealthCheck['outcome'], { name: string; cellClass: string }> = {
  open: { name: 'open', cellClass: 'in_use' },
  refused: { name: 'nothing listens', cellClass: 'stopped' },
  timeout: { name: 'no answer in time', cellClass: 'cooling' },
  unreachable: { name: 'no way to the host', cellClass: 'cooling' },
};

/** The latest health checks of an allocation, and a button for a new one. */
export function HealthChecks({ allocation: { id } }: { allocation: Allocation }) {
  const [limit, setLimit] = useState(CHECKS_AT_FIRST);
  const [refusal, setRefusal] = useState<string | null>(null);
  const [probes, setProbes] = useState(0);
  const { data, error } = useLoaded(
    () => answerOf(api.GET('/v1/allocations/{id}/health-checks', { params: { path: { id }, query: { limit } } })),
    [id, limit, probes, registry.value],
  );
  const probe = async () => {
    setRefusal(null);
    try {
      await answerOf(api.POST('/v1/allocations/{id}/health-checks', { params: { path: { id } } }));
      setProbes(probes + 1);
      await refresh();
    } catch (failed) {
      setRefusal(describeFailure(failed));
    }
  };
  return (
    <section aria-labelledby="checks">
      <div class="section-head">
        <h3 id="checks">Health checks</h3>
        <button type="button" class="link" onClick={() => void probe()}>
          Probe now
        </button>
      </div>
      <div role="alert">{(refusal ?? error) && <p class="refusal">{refusal ?? error}</p>}</div>
      {data?.items.length === 0 && <p class="quiet">It was not probed yet.</p>}
      <ul class="history">
        {data?.items.map((check) => (
          <li key={check.id}>
            <span class={`cell ${OUTCOMES[check.outcome].cellClass}`} aria-hidden="true" />
            <span>
              {OUTCOMES[check.outcome].name}
              {check.responseTimeMs !== null && `, ${check.responseTimeMs.toFixed(1)} ms`}
            </span>
            <time class="quiet" dateTime={check.checkedAt} title={formatMoment(check.checkedAt)}>
              {formatAge(check.checkedAt)}
            </time>
          </li>
        ))}
      </ul>
      {data?.nextCursor && (
        <button type="button" class="more" onClick={() => setLimit(Math.min(limit * 4, MAX_PAGE))}>
          Show older ones
        </button>
      )}
    </section>
  );
}

/** Everybody who has ever held the port, newest first. */
export function PortHistory({ port }: { port: number }) {
  const [all, setAll] = useState(false);
  const { data, error } = useLoaded(
    () =>
      listAll((cursor) =>
        answerOf(
          api.GET('/v1/allocations', {
            params: { query: { ...space.value, port, status: 'any', limit: MAX_PAGE, ...cursor } },
          }),
        ),
      ),
    [registry.value],
  );
  const sorted = data?.toSorted((a, b) => b.allocatedAt.localeCompare(a.allocatedAt)) ?? [];
  return (
    <section aria-labelledby="holders">
      <div class="section-head">
        <h3 id="holders">Who has had it</h3>
      </div>
      {error !== null && <p class="refusal">{error}</p>}
      {data?.length === 0 && <p class="quiet">Nobody yet.</p>}
      <ul class="history">
        {(all ? sorted : sorted.slice(0, HOLDERS_AT_FIRST)).map((held) => (
          <li key={held.id}>
            <span class={`cell ${held.releasedAt === null ? 'allocated' : 'free'}`} aria-hidden="true" />
            <span>
              {held.project}/{held.service}
              {held.environment !== 'default' && ` · ${held.environment}`}
            </span>
            <span class="quiet">
              {formatMoment(held.allocatedAt)} – {held.releasedAt === null ? 'now' : formatMoment(held.releasedAt)}
            </span>
          </li>
        ))}
      </ul>
      {sorted.length > HOLDERS_AT_FIRST && (
        <button type="button" class="more" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : `Show all ${sorted.length}`}
        </button>
      )}
    </section>
  );
}
