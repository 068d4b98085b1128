import { formatMoment } from '../../format.js';
import type { Column } from '../../parts/data-table.js';
import { ProjectLink } from '../../parts/links.js';
import type { Held } from '../../registry/api.js';

/** Of what was held. Its numbers are no links: whoever has them now may be somebody else. */
export const columns: readonly Column<Held>[] = [
  {
    id: 'port',
    name: 'Port',
    sortBy: ({ port }) => port,
    isNumber: true,
    cell: ({ port, protocol }) => (protocol === 'udp' ? `${port} UDP` : port),
  },
  { id: 'service', name: 'Service', sortBy: ({ service }) => service, cell: ({ service }) => service },
  {
    id: 'project',
    name: 'Project',
    sortBy: ({ project }) => project,
    cell: ({ project }) => <ProjectLink project={project} />,
  },
  {
    id: 'environment',
    name: 'Environment',
    sortBy: ({ environment }) => environment,
    cell: ({ environment }) => environment,
  },
  { id: 'host', name: 'Host', sortBy: ({ host }) => host, cell: ({ host }) => host },
  {
    id: 'from',
    name: 'Held from',
    sortBy: ({ allocatedAt }) => allocatedAt,
    cell: ({ allocatedAt }) => <Moment at={allocatedAt} />,
  },
  {
    id: 'until',
    name: 'Until',
    sortBy: ({ releasedAt }) => releasedAt,
    cell: ({ releasedAt }) =>
      releasedAt === null ? <span class="quiet">held when this was read</span> : <Moment at={releasedAt} />,
  },
];

/** Not how long ago it was, because that goes on as time goes by. */
const Moment = ({ at }: { at: string }) => <time dateTime={at}>{formatMoment(at)}</time>;
