import { mayTakeOf } from '../../access/own-projects.js';
import { formatCount } from '../../format.js';
import { Link } from '../../parts/links.js';
import { SpaceFields } from '../../parts/space-fields.js';
import { ViewHead } from '../../parts/view-head.js';
import { addressOfView, openDialog } from '../../place.js';
import { project, space } from '../../registry/filters.js';
import { type Project, projects } from '../../registry/projects.js';
import { AuditStatus } from '../audits/audit-status.js';
import { FillBar, FillFigures, ProjectBadges } from './fill.js';
import { ProjectEnvironments } from './project-environments.js';
import { ProjectHistory } from './project-history.js';
import { ProjectRanges } from './project-ranges.js';
import { ProjectServices } from './project-services.js';
import { Trend } from './trend-chart.js';

/** Everything about one project. */
export function ProjectPage() {
  const found = projects.value.find(({ name }) => name === project.value);
  return found === undefined ? <NoSuchProject /> : <Found key={found.name} project={found} />;
}

function NoSuchProject() {
  return (
    <section class="empty" aria-labelledby="no-project">
      <h2 id="no-project">{project.value === '' ? 'No project is chosen' : `There is no project ${project.value}`}</h2>
      <p>It may have been deleted, or the link to it may be wrong.</p>
      <p>
        <Link to={addressOfView('projects')}>All projects</Link>
      </p>
    </section>
  );
}

function Found({ project }: { project: Project }) {
  const { name } = project;
  const { host, protocol } = space.value;
  return (
    <>
      <ViewHead title={name} scope={<AuditStatus scope={{ project: name }} />}>
        {mayTakeOf(name) && (
          <button type="button" class="button" onClick={() => openDialog('reserve', name)}>
            Reserve a port
          </button>
        )}
        {mayTakeOf(name) && (
          <button type="button" class="button primary" onClick={() => openDialog('get', name)}>
            Get a port
          </button>
        )}
      </ViewHead>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <SpaceFields />
      </form>
      <div class="project-fill">
        <FillBar counts={project} />
        <p>
          <FillFigures counts={project} /> · {formatCount(project.available)} free{' '}
          <span class="quiet">
            on {host}, {protocol.toUpperCase()}
          </span>{' '}
          <ProjectBadges project={project} />{' '}
          <Link to={addressOfView('map', { project: name })}>Show them on the map</Link>
        </p>
      </div>
      <div class="project-sections">
        <ProjectRanges project={project} />
        <ProjectServices project={name} />
        <ProjectEnvironments project={name} />
        <Trend project={name} />
        <ProjectHistory project={name} />
      </div>
    </>
  );
}
