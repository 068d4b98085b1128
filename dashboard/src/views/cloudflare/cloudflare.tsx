import { useState } from 'preact/hooks';
import { ownRole } from '../../access/own-role.js';
import { formatCount } from '../../format.js';
import { Age } from '../../parts/age.js';
import { Fact } from '../../parts/facts.js';
import { FreeText } from '../../parts/free-text.js';
import { Link } from '../../parts/links.js';
import { ViewHead } from '../../parts/view-head.js';
import { addressOfView, go, openDialog, parameter } from '../../place.js';
import { serviceUrl } from '../../registry/api.js';
import { Plan } from './plan.js';
import { type CloudflareStatus, useStatus } from './read-cloudflare.js';

const VARIABLES = ['CLOUDFLARE_API_TOKEN', 'CLOUDFLARE_ACCOUNT_ID', 'CLOUDFLARE_TUNNEL_ID', 'CLOUDFLARE_ZONES'];

/** `shown`: what would be changed is on the screen too. */
const planWanted = parameter('plan');

/** The Cloudflare tunnel that follows the hostnames of the registry. */
export function Cloudflare() {
  if (ownRole.value === null) return <p class="quiet">Reading…</p>;
  if (ownRole.value !== 'admin') {
    return (
      <ViewHead
        title="Cloudflare"
        scope="It takes a key with the role admin to see the tunnel, because it has the hostnames of all projects."
      />
    );
  }
  return <Tunnel />;
}

function Tunnel() {
  const { data: status, error } = useStatus();
  const [attempt, setAttempt] = useState(0);
  const isPlanShown = planWanted.value === 'shown';
  const isConfigured = status?.configured === true;
  return (
    <>
      <ViewHead
        title="Cloudflare"
        scope="The tunnel and its DNS records, kept in step with the hostnames that allocations of all projects have."
      >
        {isConfigured && (
          <>
            <button
              type="button"
              class="button"
              onClick={() => (isPlanShown ? setAttempt(attempt + 1) : go({ plan: 'shown' }))}
            >
              {isPlanShown ? 'Plan again' : 'Show the plan'}
            </button>
            <button type="button" class="button primary" onClick={() => openDialog('apply-cloudflare')}>
              Apply…
            </button>
          </>
        )}
      </ViewHead>
      <div role="alert">{error !== null && <p class="refusal">{error}</p>}</div>
      {status === null && error === null && <p class="quiet">Reading…</p>}
      {status !== null && (isConfigured ? <Status of={status} /> : <NotConfigured />)}
      {isConfigured && isPlanShown && <Plan attempt={attempt} />}
    </>
  );
}

function NotConfigured() {
  return (
    <div class="panel">
      <p>
        No tunnel is configured here: to have one follow the registry, start the service with{' '}
        {VARIABLES.map((name, index) => (
          <span key={name}>
            {index > 0 && (index === VARIABLES.length - 1 ? ' and ' : ', ')}
            <code>{name}</code>
          </span>
        ))}
        , as <code>docs/cloudflare.md</code> says step by step and{' '}
        <a href={`${serviceUrl}/docs/#/cloudflare`}>the contract</a> in short.
      </p>
      <p class="quiet">
        For a tunnel that is configured by a file,{' '}
        <Link to={addressOfView('exports', { format: 'cloudflared' })}>an export</Link> has the same rules.
      </p>
    </div>
  );
}

function Status({ of: status }: { of: CloudflareStatus }) {
  const { tunnelId, zones, followingSince, lastSuccessAt, lastError, lastErrorAt, nextAttemptAt } = status;
  const { pendingChanges, conflicts } = status;
  return (
    <>
      {followingSince === null && (
        <p class="panel">
          Nothing was applied to this tunnel yet, and nothing is changed unasked. Look at the plan, and apply it once:
          from then on the tunnel follows by itself.
        </p>
      )}
      {lastError !== null && (
        <div class="refusal" role="alert">
          <p>
            The last attempt failed
            {lastErrorAt !== null && (
              <>
                {' '}
                <Age at={lastErrorAt} />
              </>
            )}
            : <FreeText>{lastError}</FreeText>
          </p>
          <p>What was changed before stays. The rest is done by the next attempt, or by applying the plan here.</p>
        </div>
      )}
      <dl class="panel facts">
        <Fact name="Tunnel">
          <code>{tunnelId}</code>
        </Fact>
        <Fact name="Zones">{zones.join(', ')}</Fact>
        <Fact name="Follows">
          {followingSince === null ? (
            'not yet'
          ) : (
            <>
              since <Age at={followingSince} />
            </>
          )}
        </Fact>
        <Fact name="Last in step">{lastSuccessAt === null ? 'never yet' : <Age at={lastSuccessAt} />}</Fact>
        <Fact name="Next attempt">
          {nextAttemptAt === null ? null : (
            <>
              not before <Age at={nextAttemptAt} />
            </>
          )}
        </Fact>
        <Fact name="Left to do">{tellCount(pendingChanges)}</Fact>
        <Fact name="Conflicts">{tellCount(conflicts)}</Fact>
      </dl>
    </>
  );
}

/** Of the last attempt. It is not known before the first one. */
const tellCount = (count: number | null): string => (count === null ? 'not known yet' : formatCount(count));
