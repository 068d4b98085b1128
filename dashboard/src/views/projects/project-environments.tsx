import { mayChange } from '../../access/own-role.js';
import { useEventsOf } from '../../feed/events-of.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { Link } from '../../parts/links.js';
import { useLoaded } from '../../parts/loaded.js';
import { addressOfView } from '../../place.js';
import { type HeldEnvironment, listEnvironments } from '../../registry/environments.js';
import { columns } from '../environments/columns.js';

/**
 * Those of the view of environments, without the project. Only one table of a view can be sorted: here the services.
 */
const COLUMNS: readonly Column<HeldEnvironment>[] = columns
  .filter(({ id }) => id !== 'project')
  .map(({ sortBy: _, ...column }) => column);

/** The copies of its stack that hold ports, on all hosts. */
export function ProjectEnvironments({ project }: { project: string }) {
  const changes = useEventsOf('environment', 'allocation', 'service', 'audit');
  const { data, error } = useLoaded(() => listEnvironments({ project }), [project, changes]);
  return (
    <section aria-labelledby="environments">
      <div class="section-head">
        <h3 id="environments">Environments</h3>
        <span class="quiet">
          on all hosts. <Link to={addressOfView('environments')}>Those of all projects</Link>
        </span>
      </div>
      <DataTable
        caption={`Environments of ${project}`}
        columns={mayChange.value ? COLUMNS : COLUMNS.filter(({ id }) => id !== 'actions')}
        rows={data}
        keyOf={({ environment }) => environment}
        error={error}
        empty="None of them holds a port."
      />
    </section>
  );
}
