import { mayTake } from '../../access/own-projects.js';
import { Age } from '../../parts/age.js';
import type { Column } from '../../parts/data-table.js';
import { FreeText } from '../../parts/free-text.js';
import { PortLink, ProjectLink } from '../../parts/links.js';
import { openDialog } from '../../place.js';
import type { Reservation } from '../../registry/api.js';
import { nameSpot } from '../../registry/port-space.js';
import { reservations } from '../../registry/store.js';

const STATUS: Record<Reservation['status'], string> = {
  active: 'Active',
  claimed: 'Claimed',
  cancelled: 'Cancelled',
  expired: 'Expired',
};

const port: Column<Reservation> = {
  id: 'port',
  name: 'Port',
  sortBy: ({ port }) => port,
  isNumber: true,
  cell: (one) => <PortLink spot={one}>{nameSpot(one)}</PortLink>,
};

const status: Column<Reservation> = {
  id: 'status',
  name: 'Status',
  sortBy: (one) => statusOf(one),
  cell: (one) => STATUS[statusOf(one)],
};

const what: Column<Reservation>[] = [
  {
    id: 'project',
    name: 'Project',
    sortBy: ({ project }) => project,
    cell: ({ project }) => <ProjectLink project={project} />,
  },
  {
    id: 'service',
    name: 'Service',
    sortBy: ({ service }) => service,
    cell: ({ service }) => service ?? <span class="quiet">any</span>,
  },
  {
    id: 'by',
    name: 'Reserved by',
    sortBy: ({ reservedBy }) => reservedBy,
    cell: ({ reservedBy }) => reservedBy && <FreeText>{reservedBy}</FreeText>,
  },
  { id: 'reason', name: 'Reason', cell: ({ reason }) => reason && <FreeText>{reason}</FreeText> },
];

const made: Column<Reservation> = {
  id: 'made',
  name: 'Made',
  sortBy: ({ createdAt }) => createdAt,
  cell: ({ createdAt }) => <Age at={createdAt} />,
};

const until: Column<Reservation> = {
  id: 'until',
  name: 'Expires',
  sortBy: ({ expiresAt }) => expiresAt,
  // One that was claimed or cancelled does not expire any more.
  cell: (one) => ['active', 'expired'].includes(statusOf(one)) && <Age at={one.expiresAt} />,
};

const actions: Column<Reservation> = {
  id: 'actions',
  name: 'Actions',
  isNameHidden: true,
  cell: (one) => statusOf(one) === 'active' && <Actions of={one} />,
};

export const activeColumns = [port, ...what, until, actions];
export const allColumns = [port, status, ...what, made, until, actions];

/**
 * One that has expired is so from that moment on, as the store knows it, before there is an event which tells of it.
 */
function statusOf({ id, status, expiresAt }: Reservation): Reservation['status'] {
  const isOver = Date.parse(expiresAt) <= Date.now() && !reservations.value.has(id);
  return status === 'active' && isOver ? 'expired' : status;
}

function Actions({ of: { id, port, project, host } }: { of: Reservation }) {
  const action = (kind: string, name: string, label: string, danger = false) => (
    <button
      type="button"
      class={danger ? 'link danger-quiet' : 'link'}
      aria-label={label}
      onClick={() => openDialog(kind, id)}
    >
      {name}
    </button>
  );
  return (
    <div class="row-actions">
      {mayTake(project, host) && action('renew', 'Renew', `Renew the reservation of ${port}`)}
      {mayTake(project, host) && action('claim', 'Claim', `Claim ${port}`)}
      {action('cancel', 'Cancel', `Cancel the reservation of ${port}`, true)}
    </div>
  );
}
