import { formatCount } from '../../format.js';
import { ProjectLink } from '../../parts/links.js';
import { FillBar, ProjectBadges, RangeName } from '../projects/fill.js';
import type { ProjectMap, RangeMap } from './cells.js';
import { linesOf } from './lines.js';
import { PortGrid } from './port-grid.js';

/** A card with more lines than this goes over the whole width, in columns. */
const TALL_LINES = 16;
const NOTHING_UNFOLDED: ReadonlySet<number> = new Set();

/** One project: how full it is, and the map of its ports. */
export function ProjectCard({ map: { project, ranges } }: { map: ProjectMap }) {
  const isTall = countLines(ranges) > TALL_LINES;
  const [only, ...others] = ranges;
  const isOne = only !== undefined && others.length === 0;
  return (
    <article
      class={isTall ? 'card tall' : 'card'}
      aria-label={project.name}
      style={{ '--lines': countLines(ranges) + others.length }}
    >
      <header class="card-head">
        <h3>
          <ProjectLink project={project.name} />
        </h3>
        {isOne && <RangeName range={only.range} />}
        <ProjectBadges project={project} />
        <p>
          <strong>{formatCount(project.held)}</strong> of {formatCount(project.total)} held
          <span class="card-free">, {formatCount(project.available)} free</span>
        </p>
      </header>
      <FillBar counts={project} />
      {ranges.map((map) => (
        <section key={map.range.startPort} class="range" aria-label={`${map.range.startPort}–${map.range.endPort}`}>
          {!isOne && (
            <h4>
              <RangeName range={map.range} />
            </h4>
          )}
          <PortGrid {...map} />
        </section>
      ))}
    </article>
  );
}

const countLines = (ranges: readonly RangeMap[]) =>
  ranges.reduce((sum, { decades }) => sum + linesOf(decades, NOTHING_UNFOLDED).length, 0);
