import { plural } from '../../format.js';
import { Age } from '../../parts/age.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { FreeText } from '../../parts/free-text.js';
import { ProjectLink } from '../../parts/links.js';
import { ViewHead } from '../../parts/view-head.js';
import { openDialog } from '../../place.js';
import { type ApiKey, apiKey, keyRefusal } from '../../registry/api.js';
import { Maker } from './maker.js';
import { hasExpired, isOfThisPage, nameOfRole, useKeys } from './read-keys.js';

/** The keys with which others use the registry. */
export function Keys() {
  const { data, error } = useKeys();
  if (data !== null && 'refused' in data) return <NotHere />;
  const keys = data?.keys ?? null;
  return (
    <>
      <ViewHead
        title="Keys"
        scope={`${keys?.length ? plural(keys.length, 'key') : 'Keys'} besides ADMIN_API_KEY, with which the service is started.`}
      >
        <button type="button" class="button primary" onClick={() => openDialog('new-key')}>
          New key
        </button>
      </ViewHead>
      <DataTable
        caption="Keys"
        columns={columnsFor(keys ?? [])}
        rows={keys}
        error={error}
        keyOf={({ id }) => id}
        empty="There is no key yet besides ADMIN_API_KEY. Make one for everybody who needs less than that, so that it can be revoked alone."
      />
    </>
  );
}

/** Where no keys are in force, or the key of this page may not manage them, the service lists none. */
function NotHere() {
  const hasKey = apiKey.value !== null;
  const title = hasKey ? 'This key does not manage keys' : 'No keys are in force';
  return (
    <>
      <ViewHead title="Keys" scope={`${title}, so that none are shown.`} />
      <div class="panel">
        {hasKey ? (
          <>
            <p>It takes a key with the role admin to see keys, to make them, and to revoke them.</p>
            <p>
              <button
                type="button"
                class="button"
                onClick={() => (keyRefusal.value = 'Enter a key with the role admin.')}
              >
                Use another key
              </button>
            </p>
          </>
        ) : (
          <>
            <p>Whoever reaches this service may do everything: no key is asked for.</p>
            <p>
              To let others in, start it with <code>ADMIN_API_KEY</code>. Then every request needs a key, and keys that
              may do less are made here.
            </p>
          </>
        )}
      </div>
    </>
  );
}

function columnsFor(keys: readonly ApiKey[]): readonly Column<ApiKey>[] {
  return [
    {
      id: 'name',
      name: 'Name',
      sortBy: ({ name }) => name,
      cell: (key) => (
        <>
          <FreeText>{key.name}</FreeText>
          {isOfThisPage(key) && <span class="quiet"> (of this page)</span>}
        </>
      ),
    },
    { id: 'role', name: 'Role', sortBy: ({ role }) => role, cell: ({ role }) => nameOfRole(role) },
    { id: 'projects', name: 'Projects', cell: (key) => <Projects of={key} /> },
    { id: 'limits', name: 'Limits', cell: (key) => <Limits of={key} /> },
    {
      id: 'made',
      name: 'Made',
      sortBy: ({ createdAt }) => createdAt,
      cell: ({ createdAt, createdBy }) => (
        <>
          <Age at={createdAt} />, by <Maker id={createdBy} keys={keys} />
        </>
      ),
    },
    {
      id: 'expires',
      name: 'Expires',
      sortBy: ({ expiresAt }) => expiresAt,
      cell: (key) => <Expiry of={key} />,
    },
    {
      id: 'used',
      name: 'Last used',
      sortBy: ({ lastUsedAt }) => lastUsedAt,
      cell: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : <Age at={lastUsedAt} />),
    },
    {
      id: 'actions',
      name: 'Actions',
      isNameHidden: true,
      cell: ({ id, name }) => (
        <div class="row-actions">
          <button
            type="button"
            class="link danger-quiet"
            aria-label={`Revoke ${name}`}
            onClick={() => openDialog('revoke-key', id)}
          >
            Revoke
          </button>
        </div>
      ),
    },
  ];
}

function Projects({ of: { role, projects } }: { of: ApiKey }) {
  if (role !== 'project') return <>all</>;
  return projects.map((project, index) => (
    <span key={project}>
      {index > 0 && ', '}
      <ProjectLink project={project} />
    </span>
  ));
}

function Limits({ of: { hosts, hostnames } }: { of: ApiKey }) {
  if (hosts === null && hostnames === null) return <span class="quiet">none</span>;
  return (
    <ul>
      {hosts !== null && <li>Ports on {hosts.join(', ')}</li>}
      {hostnames !== null && (
        <li>{hostnames.length === 0 ? 'No hostnames' : `Hostnames at and below ${hostnames.join(', ')}`}</li>
      )}
    </ul>
  );
}

function Expiry({ of: key }: { of: ApiKey }) {
  if (key.expiresAt === null) return <>never</>;
  return (
    <>
      {hasExpired(key) && <strong>expired </strong>}
      <Age at={key.expiresAt} />
    </>
  );
}
