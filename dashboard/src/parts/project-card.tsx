import { formatCount, plural } from '../format.js';
import { fullnessOf, type ProjectMap } from '../registry/cells.js';
import { FreeText } from './free-text.js';
import { PortGrid } from './port-grid.js';

/** One project: how full it is, and the map of its ports. */
export function ProjectCard({ map }: { map: ProjectMap }) {
  const { project, ranges } = map;
  const description = ranges.length === 1 ? ranges[0]?.range.description : null;
  return (
    <article class={ranges.some(isWide) ? 'card wide' : 'card'} id={`project-${project}`} aria-label={project}>
      <header class="card-head">
        <h3>{project}</h3>
        <Badges map={map} />
      </header>
      {description && (
        <p class="card-description">
          <FreeText>{description}</FreeText>
        </p>
      )}
      <Utilisation map={map} />
      {ranges.map(({ range, cells }) => (
        <section key={range.startPort} class="range">
          <h4 class="range-name number">
            {range.startPort}–{range.endPort}
            {range.kind === 'shared' && <span class="quiet"> shared</span>}
          </h4>
          <PortGrid range={range} cells={cells} project={project} />
        </section>
      ))}
    </article>
  );
}

/** Whether more than the first block of a hundred is shown. */
function isWide({ cells }: ProjectMap['ranges'][number]): boolean {
  return cells.slice(100).some(({ state }) => state !== 'free');
}

function Badges({ map }: { map: ProjectMap }) {
  const fullness = fullnessOf(map);
  return (
    <span class="badges">
      {fullness === 'full' && <span class="badge bad">Full</span>}
      {fullness === 'nearly-full' && <span class="badge warn">Nearly full</span>}
      {map.conflicts > 0 && <span class="badge bad">{plural(map.conflicts, 'conflict')}</span>}
      {map.stopped > 0 && <span class="badge stopped">{formatCount(map.stopped)} stopped</span>}
    </span>
  );
}

function Utilisation({ map }: { map: ProjectMap }) {
  const { total, held, inUse, reserved, cooling, excluded, available } = map;
  const parts: [name: string, ports: number][] = [
    ['in_use', inUse],
    ['allocated', held - inUse],
    ['reserved', reserved],
    ['cooling', cooling],
    ['excluded', excluded],
  ];
  return (
    <div class="utilisation">
      <div class="bar" aria-hidden="true">
        {parts.map(
          ([name, ports]) =>
            ports > 0 && <span key={name} class={`part ${name}`} style={{ width: `${(100 * ports) / total}%` }} />,
        )}
      </div>
      <p>
        <strong>{formatCount(held)}</strong> of {formatCount(total)} held
        {reserved > 0 && <span> · {formatCount(reserved)} reserved</span>}
        {cooling > 0 && <span> · {formatCount(cooling)} cooling</span>}
        {excluded > 0 && <span> · {formatCount(excluded)} excluded</span>}
        <span class="free">{formatCount(available)} free</span>
      </p>
    </div>
  );
}
