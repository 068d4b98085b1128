import { Fragment } from 'preact';
import { formatCount, plural } from '../../format.js';
import type { Range } from '../../registry/api.js';
import { alarmsOf, type Counts, fullnessOf, type Project } from '../../registry/projects.js';

/** How full a project or range is, as a bar. The figures have to stand beside it, for who cannot see it. */
export function FillBar({ counts }: { counts: Counts }) {
  const { total, held, inUse, reserved, cooling, excluded } = counts;
  const parts: [state: string, ports: number][] = [
    ['in_use', inUse],
    ['held', held - inUse],
    ['reserved', reserved],
    ['cooling', cooling],
    ['excluded', excluded],
  ];
  return (
    <div class="bar" aria-hidden="true">
      {parts.map(
        ([state, ports]) =>
          ports > 0 && <span key={state} class={`part ${state}`} style={{ width: `${(100 * ports) / total}%` }} />,
      )}
    </div>
  );
}

/** `12 of 100 held, 9 of them in use · 1 reserved`. How many are free stands elsewhere. */
export function FillFigures({ counts }: { counts: Counts }) {
  const { total, held, inUse, reserved, cooling, excluded } = counts;
  const others: [name: string, ports: number][] = [
    ['in use', inUse],
    ['reserved', reserved],
    ['cooling', cooling],
    ['excluded', excluded],
  ];
  return (
    <span class="figures">
      <span>
        <strong>{formatCount(held)}</strong> of {formatCount(total)} held
      </span>
      {others.map(
        ([name, ports]) =>
          ports > 0 && (
            <Fragment key={name}>
              {' '}
              <span>· {`${formatCount(ports)} ${name}`}</span>
            </Fragment>
          ),
      )}
    </span>
  );
}

/** `3300–3399`, `9000–9999 shared`. */
export function RangeName({ range: { startPort, endPort, kind } }: { range: Range }) {
  return (
    <span class="range-name">
      {startPort}–{endPort}
      {kind === 'shared' && <span class="quiet"> shared</span>}
    </span>
  );
}

/** Nothing where there is room. */
export function FullnessBadge({ project }: { project: Project }) {
  const fullness = fullnessOf(project);
  if (fullness === 'full') return <span class="badge bad">Full</span>;
  return fullness === 'nearly-full' ? <span class="badge warn">Nearly full</span> : null;
}

/** What of a project somebody should look at. */
export function ProjectBadges({ project }: { project: Project }) {
  const { conflicts, stopped } = alarmsOf(project.name);
  return (
    <span class="badges">
      <FullnessBadge project={project} />
      {conflicts > 0 && <span class="badge bad">{plural(conflicts, 'conflict')}</span>}
      {stopped > 0 && <span class="badge stopped">{formatCount(stopped)} stopped</span>}
    </span>
  );
}
