import type { ComponentChildren } from 'preact';
import { Age } from '../../parts/age.js';
import { FreeText } from '../../parts/free-text.js';
import { PortLink, PortNumber, ProjectLink } from '../../parts/links.js';
import { StateBadge } from '../../parts/state-badge.js';
import type { Row } from '../../registry/rows.js';
import { type PortState, STATES } from '../../registry/states.js';

export interface Column {
  /** As it stands in the address. */
  id: string;
  name: string;
  /** The least width that it can be read in. */
  rem: number;
  /** By what rows are sorted. Rows for which it is null come last, whichever way they are sorted. */
  sortBy(row: Row): string | number | null;
  cell(row: Row): ComponentChildren;
}

const ORDER_OF_STATES = Object.keys(STATES) as PortState[];

/** All columns, in their order. */
export const COLUMNS: readonly Column[] = [
  { id: 'port', name: 'Port', rem: 4.25, sortBy: ({ port }) => port, cell: (row) => <PortNumber spot={row} /> },
  {
    id: 'service',
    name: 'Service',
    rem: 8.5,
    sortBy: ({ service }) => service,
    cell: (row) => <PortLink spot={row}>{row.service ?? 'for any service'}</PortLink>,
  },
  {
    id: 'project',
    name: 'Project',
    rem: 8.5,
    sortBy: ({ project }) => project,
    cell: ({ project }) => <ProjectLink project={project} />,
  },
  text('environment', 'Environment', 7.75, ({ environment }) => environment),
  text('host', 'Host', 5.75, ({ host }) => host),
  {
    id: 'state',
    name: 'State',
    rem: 9.25,
    sortBy: ({ state }) => ORDER_OF_STATES.indexOf(state),
    cell: ({ state }) => <StateBadge state={state} />,
  },
  text('listener', 'Who listens', 6.5, ({ listener }) => listener && (listener.process ?? 'a process out of sight')),
  {
    id: 'lastSeen',
    name: 'Last seen',
    rem: 6.75,
    sortBy: ({ lastSeenAt }) => lastSeenAt,
    cell: (row) =>
      row.lastSeenAt === null ? (
        <span class="unfolded-only">{describeUnseen(row)}</span>
      ) : (
        <Told what="seen" at={row.lastSeenAt} />
      ),
  },
  {
    id: 'age',
    name: 'Age',
    rem: 6.75,
    sortBy: ({ since }) => -Date.parse(since),
    cell: ({ since, held }) => <Told what={held === null ? 'reserved' : 'got'} at={since} />,
  },
  text('protocol', 'Protocol', 5.5, ({ protocol }) => protocol.toUpperCase()),
  text('hostname', 'Hostname', 10, ({ held }) => held?.cloudflareHostname ?? null),
  text('type', 'Type', 5, ({ held }) => held?.serviceType ?? null),
  text('description', 'Description', 12, ({ held, reservation }) => held?.description ?? reservation?.reason ?? null),
];

/** What is shown until somebody chooses columns. */
export const DEFAULT_COLUMNS: readonly string[] = COLUMNS.slice(0, 9).map(({ id }) => id);

/** Where rows are folded into lines: what stands in the first one, before the button with the actions. */
export const FIRST_LINE: readonly string[] = ['port', 'service', 'state'];

function text(id: string, name: string, rem: number, of: (row: Row) => string | null): Column {
  const cell = (row: Row) => {
    const value = of(row);
    return value !== null && <FreeText>{value}</FreeText>;
  };
  return { id, name, rem, sortBy: of, cell };
}

/** How long ago something was, and where the row is folded into lines, what. */
function Told({ what, at }: { what: string; at: string }) {
  return (
    <>
      <span class="folded-only">{what} </span>
      <Age at={at} isShort />
    </>
  );
}

/** Why nobody has seen it running. */
function describeUnseen({ state, held }: Row): string {
  if (held === null) return '';
  if (held.protocol === 'udp') return 'not probed';
  return state === 'unchecked' ? 'not checked yet' : 'never';
}
