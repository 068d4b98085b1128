import { useState } from 'preact/hooks';
import { mayChange } from '../access/own-role.js';
import { useEventsOf } from '../feed/events-of.js';
import { useAction } from '../parts/action.js';
import { Age } from '../parts/age.js';
import { useLoaded } from '../parts/loaded.js';
import { StateMark } from '../parts/state-badge.js';
import { probe } from '../registry/actions.js';
import { answerOf, api, describeFailure, type HealthCheck, MAX_PAGE } from '../registry/api.js';
import type { PortState } from '../registry/states.js';

/** How many are shown until the user asks for more. */
const CHECKS_AT_FIRST = 5;

/** The outcomes of a probe: what each is called, and the state whose cell it looks like. */
const OUTCOMES: Record<HealthCheck['outcome'], { name: string; state: PortState }> = {
  open: { name: 'open', state: 'in_use' },
  refused: { name: 'nothing listens', state: 'stopped' },
  timeout: { name: 'no answer in time', state: 'cooling' },
  unreachable: { name: 'no way to the host', state: 'cooling' },
};

/** The latest health checks of an allocation, and a button for a new one. */
export function HealthChecks({ id }: { id: string }) {
  const [limit, setLimit] = useState(CHECKS_AT_FIRST);
  const [probes, setProbes] = useState(0);
  const { isBusy, error: failure, run } = useAction();
  const { data, error } = useLoaded(
    () => answerOf(api.GET('/v1/allocations/{id}/health-checks', { params: { path: { id }, query: { limit } } })),
    [id, limit, probes, useEventsOf('audit', 'service')],
  );
  const probeNow = () =>
    run(async () => {
      await probe(id);
      setProbes((count) => count + 1);
    });
  const refusal = failure === null ? error : describeFailure(failure);
  return (
    <section aria-labelledby="checks">
      <div class="section-head">
        <h3 id="checks">Health checks</h3>
        {mayChange.value && (
          <button type="button" class="link" aria-disabled={isBusy} onClick={() => void probeNow()}>
            {isBusy ? 'Probing…' : 'Probe now'}
          </button>
        )}
      </div>
      <div role="alert">{refusal && <p class="refusal">{refusal}</p>}</div>
      {data?.items.length === 0 && <p class="quiet">It was not probed yet.</p>}
      <ul class="history">
        {data?.items.map((check) => (
          <Check key={check.id} check={check} />
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

function Check({ check: { outcome, responseTimeMs, checkedAt } }: { check: HealthCheck }) {
  const { name, state } = OUTCOMES[outcome] ?? { name: outcome, state: 'cooling' };
  return (
    <li>
      <StateMark state={state} />
      <span>
        {name}
        {responseTimeMs !== null && `, ${responseTimeMs.toFixed(1)} ms`}
      </span>
      <span class="quiet">
        <Age at={checkedAt} />
      </span>
    </li>
  );
}
