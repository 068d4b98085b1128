import type { components } from '../../../generated/contract.js';
import { tellType } from '../../events/groups.js';
import { useAction } from '../../parts/action.js';
import { Age } from '../../parts/age.js';
import { Choice } from '../../parts/choice.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { FreeText } from '../../parts/free-text.js';
import { Link, ProjectLink } from '../../parts/links.js';
import { addressOfView, addressWith, parameter } from '../../place.js';
import { answerOf, api, describeFailure, type Webhook } from '../../registry/api.js';
import { ownChanges, useDeliveries } from './read-webhooks.js';

type Delivery = components['schemas']['WebhookDelivery'];

const STATUSES: Record<Delivery['status'], string> = {
  pending: 'To be sent',
  delivered: 'Delivered',
  failed: 'Given up',
};
const isStatus = (text: string): text is Delivery['status'] => Object.hasOwn(STATUSES, text);

const PAGE = 100;

const status = parameter('status');
/** Behind which place of the list older ones are shown. */
const cursor = parameter('cursor');

/** What a webhook has sent, newest first. */
export function Deliveries({ webhook }: { webhook: Webhook }) {
  const { id } = webhook;
  const query = {
    limit: PAGE,
    ...(isStatus(status.value) && { status: status.value }),
    ...(cursor.value !== '' && { cursor: cursor.value }),
  };
  const { data, error } = useDeliveries(id, query);
  return (
    <section class="deliveries" aria-labelledby="deliveries">
      <h3 id="deliveries">Deliveries</h3>
      <div class="filters">
        <Choice label="Status" name="status" clears={['cursor']} options={[['', 'All'], ...Object.entries(STATUSES)]} />
      </div>
      <DataTable
        caption="Deliveries"
        columns={columns}
        rows={data?.items ?? null}
        error={error}
        keyOf={(delivery) => delivery.id}
        empty={status.value === '' ? 'Nothing was sent yet.' : 'There is no delivery of this status.'}
      />
      <p class="links">
        {data?.nextCursor && <Link to={addressWith({ cursor: data.nextCursor })}>Older deliveries</Link>}
        {cursor.value !== '' && <Link to={addressWith({ cursor: null })}>Newest deliveries</Link>}
      </p>
    </section>
  );
}

const columns: readonly Column<Delivery>[] = [
  {
    id: 'event',
    name: 'Event',
    cell: ({ type, eventId }) => (
      <Link to={addressOfView('activity', { before: String(Number(eventId) + 1) })}>{tellType(type)}</Link>
    ),
  },
  { id: 'project', name: 'Project', cell: ({ project }) => project !== null && <ProjectLink project={project} /> },
  { id: 'made', name: 'When', cell: ({ createdAt }) => <Age at={createdAt} /> },
  { id: 'status', name: 'Status', cell: (delivery) => <Status of={delivery} /> },
  { id: 'attempts', name: 'Attempts', isNumber: true, cell: ({ attempts }) => attempts },
  { id: 'answer', name: 'Answer', cell: (delivery) => <Answer of={delivery} /> },
  { id: 'actions', name: 'Actions', isNameHidden: true, cell: (delivery) => <Repeat delivery={delivery} /> },
];

/** How far a delivery is. A status of a service that is newer than this page is shown by its own name. */
export function Status({ of: { status, attempts, endedAt, nextAttemptAt } }: { of: Delivery }) {
  if (endedAt !== null) {
    return (
      <>
        {STATUSES[status] ?? status} <Age at={endedAt} />
      </>
    );
  }
  if (nextAttemptAt === null) return <>To be sent as soon as those before it are</>;
  return (
    <>
      To be sent {attempts > 0 && 'again '}
      <Age at={nextAttemptAt} />
    </>
  );
}

function Answer({ of: { responseStatus, error } }: { of: Delivery }) {
  return error === null ? responseStatus : <FreeText>{error}</FreeText>;
}

/** Sends it again; one that waits after a failure is tried at once. */
function Repeat({ delivery: { id, webhookId, status, attempts, type } }: { delivery: Delivery }) {
  const { isBusy, error, run } = useAction();
  if (status === 'pending' && attempts === 0) return null;
  const repeat = async () => {
    const path = { id: webhookId, deliveryId: id };
    await answerOf(api.POST('/v1/webhooks/{id}/deliveries/{deliveryId}/repeat', { params: { path } }));
    ownChanges.value++;
  };
  const name = status === 'pending' ? 'Try now' : 'Send again';
  return (
    <div class="row-actions">
      <button
        type="button"
        class="link"
        aria-disabled={isBusy}
        aria-label={`${name}: ${tellType(type)}`}
        onClick={() => void run(repeat)}
      >
        {name}
      </button>
      <span role="alert">{error !== null && <span class="refusal">{describeFailure(error)}</span>}</span>
    </div>
  );
}
