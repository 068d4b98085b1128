import { useMemo } from 'preact/hooks';
import { ownProjects } from '../../access/own-projects.js';
import { plural } from '../../format.js';
import { ViewHead } from '../../parts/view-head.js';
import { clearFilters, isFiltered, space } from '../../registry/filters.js';
import { AuditStatus } from '../audits/audit-status.js';
import { type ProjectMap, projectMaps, shownMaps } from './cells.js';
import { Legend } from './legend.js';
import { MapFilters } from './map-filters.js';
import { ProjectCard } from './project-card.js';
import { Tip } from './tooltip.js';

/** The ports of all projects on one host and protocol, each as a cell. */
export function MapView() {
  const { host, protocol } = space.value;
  return (
    <>
      <ViewHead
        title="Map"
        scope={
          <>
            Every range{ownProjects.value !== null && ' of the projects that this key covers'} on {host},{' '}
            {protocol.toUpperCase()}. {protocol === 'udp' ? 'UDP is not probed.' : <AuditStatus scope={{ host }} />}
          </>
        }
      />
      <MapFilters />
      <Legend />
      <div role="status">{isFiltered.value && <Filtered />}</div>
      <div class="cards">
        {shownMaps.value.map((map) => (
          <Card key={map.project.name} map={map} />
        ))}
      </div>
      <Tip />
    </>
  );
}

/** Rendered again only if something in the project has changed. */
function Card({ map }: { map: ProjectMap }) {
  return useMemo(() => <ProjectCard map={map} />, [map.project, ...map.ranges.flatMap(({ decades }) => decades)]);
}

function Filtered() {
  const [some, all] = [shownMaps.value.length, projectMaps.value.length];
  return (
    <p class="quiet">
      {some === 0
        ? 'The filters leave nothing here. '
        : `The filters leave something in ${some} of ${plural(all, 'project')}. The rest is dimmed or left out. `}
      <button type="button" class="link" onClick={clearFilters}>
        Clear the filters
      </button>
    </p>
  );
}
