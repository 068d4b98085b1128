import { mayChange } from '../../access/own-role.js';
import { useEventsOf } from '../../feed/events-of.js';
import { plural } from '../../format.js';
import { Choice, describeProjects, optionsOf, ProjectChoice } from '../../parts/choice.js';
import { DataTable } from '../../parts/data-table.js';
import { useLoaded } from '../../parts/loaded.js';
import { ViewHead } from '../../parts/view-head.js';
import { openDialog, parameter } from '../../place.js';
import { type EnvironmentQuery, listEnvironments, nameEnvironment } from '../../registry/environments.js';
import { host, hosts, project } from '../../registry/filters.js';
import { columns } from './columns.js';

const DAY_SECONDS = 86_400;
const UNUSED = [1, 7, 30, 90, 365].map((days) => [String(days), `Not for ${plural(days, 'day')}`] as const);

/** For how many days nobody has used those that are wanted; '' for all. */
const unused = parameter('unused');

/** Every copy of a stack that holds ports: how old it is, where it lives, and when it was last used. */
export function Environments() {
  const wanted = readQuery();
  const changes = useEventsOf('environment', 'allocation', 'service', 'audit');
  const { data, error } = useLoaded(() => readEnvironments(wanted), [JSON.stringify(wanted), changes]);
  return (
    <>
      <ViewHead title="Environments" scope={describeScope(data?.wanted ?? wanted, data?.found.length ?? null)}>
        {mayChange.value && (
          <button type="button" class="button" onClick={() => openDialog('get-stack', project.value)}>
            Get a stack
          </button>
        )}
      </ViewHead>
      <div class="filters">
        <ProjectChoice />
        <Choice label="Host" name="host" options={optionsOf('All hosts', hosts.value)} />
        <Choice label="Used" name="unused" options={[['', 'At any time'], ...UNUSED]} />
      </div>
      {wanted.unusedForSeconds !== undefined && (
        <p class="quiet">
          For so long no probe has found any of their ports listening, and none was allocated. That is also so where
          nobody has run an audit.
        </p>
      )}
      <DataTable
        caption="Environments that hold ports"
        columns={mayChange.value ? columns : columns.filter(({ id }) => id !== 'actions')}
        rows={data?.found ?? null}
        keyOf={nameEnvironment}
        error={error}
        empty={
          Object.keys(wanted).length === 0
            ? 'No environment holds a port. The first port that is allocated in one makes it.'
            : 'No environment is like that.'
        }
      />
    </>
  );
}

/** Until others are read, those from before are shown, and what is said of them is what was asked then. */
async function readEnvironments(wanted: EnvironmentQuery) {
  return { wanted, found: await listEnvironments(wanted) };
}

function readQuery(): EnvironmentQuery {
  const days = Number(unused.value);
  return {
    ...(project.value !== '' && { project: project.value }),
    ...(host.value !== '' && { host: host.value }),
    ...(days > 0 && { unusedForSeconds: Math.round(days * DAY_SECONDS) }),
  };
}

function describeScope(wanted: EnvironmentQuery, count: number | null): string {
  const where = wanted.host === undefined ? 'on every host' : `on ${wanted.host}`;
  const known = count === null ? 'Environments' : plural(count, 'environment');
  return `${known} ${describeProjects(wanted.project ?? '')} that hold ports ${where}, TCP and UDP. Who listens is as the last probe found it.`;
}
