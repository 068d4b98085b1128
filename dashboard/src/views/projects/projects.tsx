import { isAdmin } from '../../access/own-role.js';
import { formatCount } from '../../format.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { ProjectLink } from '../../parts/links.js';
import { SpaceFields } from '../../parts/space-fields.js';
import { ViewHead } from '../../parts/view-head.js';
import { openDialog } from '../../place.js';
import { space } from '../../registry/filters.js';
import { alarmsOf, type Project, projects } from '../../registry/projects.js';
import { FillBar, FillFigures, FullnessBadge, RangeName } from './fill.js';

const COLUMNS: readonly Column<Project>[] = [
  { id: 'name', name: 'Project', sortBy: ({ name }) => name, cell: ({ name }) => <ProjectLink project={name} /> },
  { id: 'ports', name: 'Ranges', sortBy: ({ ranges }) => ranges[0]?.startPort ?? null, cell: Ranges },
  {
    id: 'fullness',
    name: 'Fill',
    sortBy: ({ held, total }) => held / total,
    cell: (project) => (
      <>
        <FillBar counts={project} />
        <span class="quiet">
          <FillFigures counts={project} />
        </span>
      </>
    ),
  },
  { id: 'free', name: 'Free', isNumber: true, sortBy: ({ available }) => available, cell: Free },
  alarms('conflicts', 'In conflict', 'bad'),
  alarms('stopped', 'Stopped', 'stopped'),
];

function alarms(kind: 'conflicts' | 'stopped', name: string, badge: 'bad' | 'stopped'): Column<Project> {
  const sortBy = (project: Project) => knownOf(project, kind);
  const cell = (project: Project) => <Known ports={sortBy(project)} badge={badge} />;
  return { id: kind, name, isNumber: true, sortBy, cell };
}

/** Every project: its ranges, and how full it is. */
export function Projects() {
  const { host, protocol } = space.value;
  const scope = `Counted on ${host}, ${protocol.toUpperCase()}. A range is its project's on every host and protocol.`;
  return (
    <>
      <ViewHead title="Projects" scope={scope}>
        {isAdmin.value && (
          <button type="button" class="button primary" onClick={() => openDialog('new-project')}>
            New project
          </button>
        )}
      </ViewHead>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <SpaceFields />
      </form>
      <DataTable
        caption="Projects"
        columns={COLUMNS}
        rows={projects.value}
        keyOf={({ name }) => name}
        empty="There are no projects yet."
      />
    </>
  );
}

function Ranges({ ranges }: Project) {
  return (
    <ul>
      {ranges.map((range) => (
        <li key={range.startPort}>
          <RangeName range={range} />
        </li>
      ))}
    </ul>
  );
}

function Free(project: Project) {
  return (
    <>
      {formatCount(project.available)} <FullnessBadge project={project} />
    </>
  );
}

/** Null where nobody has looked, of which those that were found are known all the same. */
function knownOf({ name }: Project, kind: 'conflicts' | 'stopped'): number | null {
  const { isChecked, ...alarms } = alarmsOf(name);
  return isChecked || alarms[kind] > 0 ? alarms[kind] : null;
}

function Known({ ports, badge }: { ports: number | null; badge: 'bad' | 'stopped' }) {
  if (ports === null) {
    return <span class="quiet">{space.value.protocol === 'udp' ? 'not probed' : 'not checked yet'}</span>;
  }
  return <span class={ports > 0 ? `badge ${badge}` : undefined}>{formatCount(ports)}</span>;
}
