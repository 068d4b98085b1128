import { mayTakeOf } from '../../access/own-projects.js';
import { formatCount } from '../../format.js';
import { Age } from '../../parts/age.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { Link, PortLink } from '../../parts/links.js';
import { StateBadge } from '../../parts/state-badge.js';
import { addressOfView, openDialog } from '../../place.js';
import { type Row, rows } from '../../registry/rows.js';

const COLUMNS: readonly Column<Row>[] = [
  {
    id: 'port',
    name: 'Port',
    isNumber: true,
    sortBy: ({ port }) => port,
    cell: (row) => <PortLink spot={row}>{row.protocol === 'udp' ? `${row.port}/UDP` : row.port}</PortLink>,
  },
  {
    id: 'service',
    name: 'Service',
    sortBy: ({ service }) => service,
    cell: ({ service }) => service ?? <span class="quiet">for no service in particular</span>,
  },
  {
    id: 'environment',
    name: 'Environment',
    sortBy: ({ environment }) => environment,
    cell: ({ environment }) => environment,
  },
  { id: 'host', name: 'Host', sortBy: ({ host }) => host, cell: ({ host }) => host },
  { id: 'state', name: 'State', sortBy: ({ state }) => state, cell: ({ state }) => <StateBadge state={state} /> },
  {
    id: 'seen',
    name: 'Last seen',
    sortBy: ({ lastSeenAt }) => lastSeenAt,
    cell: ({ lastSeenAt }) => lastSeenAt && <Age at={lastSeenAt} />,
  },
];

/** What a project holds and has reserved now, on all hosts. */
export function ProjectServices({ project }: { project: string }) {
  const own = rows.value.filter((row) => row.project === project);
  return (
    <section aria-labelledby="services">
      <div class="section-head">
        <h3 id="services">Services</h3>
        <span class="quiet">
          {formatCount(own.length)} held or reserved, on all hosts.{' '}
          <Link to={addressOfView('services', { project, host: null, protocol: null })}>
            Select, release or describe several
          </Link>
        </span>
      </div>
      <DataTable
        caption={`Services of ${project}`}
        columns={COLUMNS}
        rows={own}
        keyOf={({ spot }) => spot}
        empty={
          <>
            It holds no port yet.{' '}
            {mayTakeOf(project) && (
              <button type="button" class="link" onClick={() => openDialog('get', project)}>
                Get one
              </button>
            )}
          </>
        }
      />
    </section>
  );
}
