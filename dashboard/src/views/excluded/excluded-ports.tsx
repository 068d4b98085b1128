import { isAdmin } from '../../access/own-role.js';
import { plural } from '../../format.js';
import { Age } from '../../parts/age.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { FreeText } from '../../parts/free-text.js';
import { PortLink, ProjectLink } from '../../parts/links.js';
import { ViewHead } from '../../parts/view-head.js';
import { openDialog } from '../../place.js';
import type { ExcludedPort, Held } from '../../registry/api.js';
import { ownerOf } from '../../registry/audits.js';
import { DEFAULT_SPACE, nameSpot } from '../../registry/port-space.js';
import { excluded, heldByPort } from '../../registry/store.js';

const columns: readonly Column<ExcludedPort>[] = [
  {
    id: 'port',
    name: 'Port',
    sortBy: ({ port }) => port,
    isNumber: true,
    cell: ({ port }) => <PortLink spot={{ ...DEFAULT_SPACE, port }}>{port}</PortLink>,
  },
  { id: 'reason', name: 'Reason', sortBy: ({ reason }) => reason, cell: ({ reason }) => <FreeText>{reason}</FreeText> },
  {
    id: 'range',
    name: 'In a range of',
    sortBy: ({ port }) => ownerOf(port),
    cell: ({ port }) => <Owner of={ownerOf(port)} />,
  },
  { id: 'held', name: 'Held by', cell: ({ port }) => <Holders of={heldByPort.value.get(port) ?? []} /> },
  {
    id: 'since',
    name: 'Since',
    sortBy: ({ createdAt }) => createdAt,
    cell: ({ createdAt }) => <Age at={createdAt} />,
  },
  { id: 'actions', name: 'Actions', isNameHidden: true, cell: ({ port }) => <Actions of={port} /> },
];

/** The numbers that nobody is given unasked, and why. */
export function ExcludedPorts() {
  const rows = [...excluded.value.values()];
  return (
    <>
      <ViewHead
        title="Excluded ports"
        scope={`${plural(rows.length, 'number')} that nobody is given unasked, on any host, TCP and UDP. By its number one can still be had.`}
      >
        {isAdmin.value ? <ExcludeButton /> : undefined}
      </ViewHead>
      <DataTable
        caption="Excluded ports"
        columns={isAdmin.value ? columns : columns.filter(({ id }) => id !== 'actions')}
        rows={rows}
        keyOf={({ port }) => port}
        empty="No port is excluded. Exclude those that something else on your machines always uses."
      />
    </>
  );
}

function ExcludeButton() {
  return (
    <button type="button" class="button primary" onClick={() => openDialog('exclude')}>
      Exclude a port
    </button>
  );
}

function Owner({ of: project }: { of: string | null }) {
  return project === null ? <span class="quiet">no project</span> : <ProjectLink project={project} />;
}

function Holders({ of: holders }: { of: readonly Held[] }) {
  if (holders.length === 0) return null;
  return (
    <ul>
      {holders.map((one) => (
        <li key={one.id}>
          <PortLink spot={one}>
            {one.project}/{one.service}
          </PortLink>
          <span class="quiet"> {nameSpot(one)}</span>
        </li>
      ))}
    </ul>
  );
}

function Actions({ of: port }: { of: number }) {
  return (
    <div class="row-actions">
      <button
        type="button"
        class="link"
        aria-label={`Change the reason of ${port}`}
        onClick={() => openDialog('exclude', String(port))}
      >
        Change the reason
      </button>
      <button
        type="button"
        class="link danger-quiet"
        aria-label={`Stop excluding ${port}`}
        onClick={() => openDialog('stop-excluding', String(port))}
      >
        Stop excluding
      </button>
    </div>
  );
}
