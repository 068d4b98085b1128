import { formatCount, plural } from '../../format.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { FreeText } from '../../parts/free-text.js';
import { Link, PortLink, ProjectLink } from '../../parts/links.js';
import { addressOfView } from '../../place.js';
import { nameSpot } from '../../registry/port-space.js';
import { countOutcomes, OUTCOMES, wordDetail } from './outcomes.js';
import type { ImportedPort } from './send.js';

const columns: readonly Column<ImportedPort>[] = [
  { id: 'port', name: 'Port', sortBy: ({ port }) => port, isNumber: true, cell: (one) => <Port of={one} /> },
  {
    id: 'project',
    name: 'Project',
    sortBy: ({ allocation }) => allocation?.project ?? null,
    cell: ({ allocation }) => allocation && <ProjectLink project={allocation.project} />,
  },
  {
    id: 'service',
    name: 'Service',
    sortBy: ({ allocation }) => allocation?.service ?? null,
    cell: ({ allocation }) => allocation?.service,
  },
  {
    id: 'environment',
    name: 'Environment',
    sortBy: ({ allocation }) => allocation?.environment ?? null,
    cell: ({ allocation }) => allocation?.environment,
  },
  {
    id: 'outcome',
    name: 'Outcome',
    sortBy: ({ outcome }) => outcome,
    cell: (one) => (
      <>
        <span class={`outcome ${one.outcome}`}>{OUTCOMES[one.outcome].done}</span>
        <div class="quiet">
          <FreeText>{wordDetail(one)}</FreeText>
        </div>
      </>
    ),
  },
];

/** The third step: what has become of each. */
export function DoneStep({ ports }: { ports: readonly ImportedPort[] }) {
  const counts = countOutcomes(ports).map(([name, count]) => `${formatCount(count)} ${OUTCOMES[name].done}`);
  return (
    <>
      <p>
        {plural(ports.length, 'port')}: {counts.join(', ')}. What was imported is held from now on, whether or not its
        service runs.
      </p>
      <DataTable
        caption="What has become of each port"
        columns={columns}
        rows={ports}
        keyOf={({ line }) => line}
        empty="Nothing was imported."
      />
      <div class="view-actions">
        <Link to={addressOfView('services')} class="button">
          See all services
        </Link>
        <Link to={addressOfView('import')} class="button">
          Import more
        </Link>
      </div>
    </>
  );
}

function Port({ of: { port, host, allocation } }: { of: ImportedPort }) {
  if (port === null) return null;
  const spot = { port, host: host ?? 'localhost', protocol: allocation?.protocol ?? ('tcp' as const) };
  return <PortLink spot={spot}>{nameSpot(spot)}</PortLink>;
}
