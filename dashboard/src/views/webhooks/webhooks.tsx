import { plural } from '../../format.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { FreeText } from '../../parts/free-text.js';
import { Link } from '../../parts/links.js';
import { ViewHead } from '../../parts/view-head.js';
import { openDialog, parameter } from '../../place.js';
import type { Webhook } from '../../registry/api.js';
import { Status } from './deliveries.js';
import { OneWebhook } from './one-webhook.js';
import { addressOfWebhook, useDeliveries, useWebhooks } from './read-webhooks.js';
import { ProjectsOf, State } from './state.js';
import { tellTypes } from './words.js';

const chosenWebhook = parameter('webhook');

/** The URLs that get events. */
export function Webhooks() {
  return chosenWebhook.value === '' ? <List /> : <OneWebhook key={chosenWebhook.value} id={chosenWebhook.value} />;
}

function List() {
  const { data, error } = useWebhooks();
  const isRefused = data !== null && 'refused' in data;
  const webhooks = data !== null && 'found' in data ? data.found : null;
  return (
    <>
      <ViewHead title="Webhooks" scope={<Scope webhooks={webhooks} />}>
        {!isRefused && (
          <button type="button" class="button primary" onClick={() => openDialog('new-webhook')}>
            New webhook
          </button>
        )}
      </ViewHead>
      {isRefused ? (
        <div class="panel">
          <p>{data.refused}</p>
        </div>
      ) : (
        <DataTable
          caption="Webhooks"
          columns={columnsFor(webhooks ?? [])}
          rows={webhooks}
          error={error}
          keyOf={({ id }) => id}
          empty="Nothing is told of events yet. A webhook sends them to a URL of yours, to restart what went down, for example."
        />
      )}
    </>
  );
}

function Scope({ webhooks }: { webhooks: readonly Webhook[] | null }) {
  const count = webhooks === null || webhooks.length === 0 ? '' : `${plural(webhooks.length, 'webhook')}. `;
  return <>{count}Each sends events to a URL as they happen, signed, and tries again for three days.</>;
}

/** Of so many at most is the last delivery shown, because each is a request. */
const MOST_LOOKED_AT = 20;

function columnsFor(webhooks: readonly Webhook[]): readonly Column<Webhook>[] {
  return [
    {
      id: 'url',
      name: 'URL',
      sortBy: ({ url }) => url,
      cell: ({ id, url, description }) => (
        <>
          <Link to={addressOfWebhook(id)} class="long">
            <FreeText>{url}</FreeText>
          </Link>
          {description !== null && (
            <p class="quiet">
              <FreeText>{description}</FreeText>
            </p>
          )}
        </>
      ),
    },
    { id: 'types', name: 'Gets', cell: tellTypes },
    { id: 'projects', name: 'Of', cell: (webhook) => <ProjectsOf webhook={webhook} /> },
    {
      id: 'state',
      name: 'State',
      sortBy: ({ enabled }) => Number(enabled),
      cell: (webhook) => <State webhook={webhook} />,
    },
    ...(webhooks.length <= MOST_LOOKED_AT
      ? [{ id: 'last', name: 'Last delivery', cell: ({ id }: Webhook) => <LastDelivery id={id} /> }]
      : []),
  ];
}

function LastDelivery({ id }: { id: string }) {
  const { data, error } = useDeliveries(id, { limit: 1 });
  if (error !== null) return <span class="refusal">{error}</span>;
  if (data === null) return null;
  const [last] = data.items;
  if (last === undefined) return <span class="quiet">none yet</span>;
  return (
    <>
      <Status of={last} />
      {last.error !== null && (
        <p class="quiet">
          <FreeText>{last.error}</FreeText>
        </p>
      )}
    </>
  );
}
