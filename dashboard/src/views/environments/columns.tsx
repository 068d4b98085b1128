import { formatCount } from '../../format.js';
import { Age } from '../../parts/age.js';
import { CopyButton } from '../../parts/copy.js';
import type { Column } from '../../parts/data-table.js';
import { FreeText } from '../../parts/free-text.js';
import { Link, ProjectLink } from '../../parts/links.js';
import { addressOfView, openDialog } from '../../place.js';
import { type HeldEnvironment, nameEnvironment, spacesOf } from '../../registry/environments.js';
import { host } from '../../registry/filters.js';
import { DEFAULT_SPACE, isIn } from '../../registry/port-space.js';

export const columns: readonly Column<HeldEnvironment>[] = [
  {
    id: 'environment',
    name: 'Environment',
    sortBy: ({ environment }) => environment,
    cell: ({ project, environment }) => (
      <Link to={addressOfView('services', { project, environment, host: null, protocol: null })}>{environment}</Link>
    ),
  },
  {
    id: 'project',
    name: 'Project',
    sortBy: ({ project }) => project,
    cell: ({ project }) => <ProjectLink project={project} />,
  },
  { id: 'ports', name: 'Ports', sortBy: ({ ports }) => ports, isNumber: true, cell: (one) => <Ports of={one} /> },
  {
    id: 'folder',
    name: 'Folder',
    sortBy: ({ path }) => path,
    cell: ({ path }) => path !== null && <Folder path={path} />,
  },
  {
    id: 'age',
    name: 'Allocated',
    sortBy: ({ firstAllocatedAt }) => firstAllocatedAt,
    cell: ({ firstAllocatedAt }) => <Age at={firstAllocatedAt} />,
  },
  {
    id: 'used',
    name: 'Last used',
    sortBy: ({ lastUsedAt }) => lastUsedAt,
    cell: ({ lastUsedAt }) =>
      lastUsedAt === null ? <span class="quiet">not seen in use</span> : <Age at={lastUsedAt} />,
  },
  { id: 'expires', name: 'Expires', sortBy: ({ expiresAt }) => expiresAt, cell: (one) => <Expiry of={one} /> },
  {
    id: 'actions',
    name: 'Actions',
    isNameHidden: true,
    cell: (one) => (
      <div class="row-actions">
        <button
          type="button"
          class="link"
          aria-label={`Set expiry of ${nameEnvironment(one)}`}
          onClick={() => openDialog('expire-environment', nameEnvironment(one))}
        >
          Set expiry
        </button>
        <button
          type="button"
          class="link danger-quiet"
          aria-label={`Release all of ${nameEnvironment(one)}`}
          onClick={() => openDialog('release-environment', nameEnvironment(one))}
        >
          Release all
        </button>
      </div>
    ),
  },
];

/** How many there are, and where, unless that is where most services are. */
function Ports({ of: environment }: { of: HeldEnvironment }) {
  const spaces = spacesOf(environment).filter((space) => host.value === '' || space.host === host.value);
  const isUsual = spaces.every((space) => isIn(DEFAULT_SPACE, space));
  return (
    <>
      {formatCount(environment.ports)}
      {environment.listening > 0 && <div class="quiet">{formatCount(environment.listening)} in use</div>}
      {!isUsual && (
        <div class="quiet">
          {spaces.map(({ host, protocol, ports }) => `${ports} on ${host} ${protocol.toUpperCase()}`).join(', ')}
        </div>
      )}
    </>
  );
}

function Folder({ path }: { path: string }) {
  return (
    <>
      <code>
        <FreeText>{path}</FreeText>
      </code>{' '}
      <CopyButton text={path} label="the folder" />
    </>
  );
}

function Expiry({ of: { expiresAt, onExpiry } }: { of: HeldEnvironment }) {
  if (expiresAt === null) return <span class="quiet">never</span>;
  return (
    <>
      <Age at={expiresAt} />
      <div class="quiet">{onExpiry === 'release' ? 'released then, if unused' : 'told then, not released'}</div>
    </>
  );
}
