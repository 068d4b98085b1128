import { Age } from '../parts/age.js';
import { ProjectLink } from '../parts/links.js';
import { StateBadge } from '../parts/state-badge.js';
import type { Port, Range } from '../registry/api.js';
import { auditOf } from '../registry/audits.js';
import type { Spot } from '../registry/port-space.js';
import { stateOf } from '../registry/states.js';

interface Props {
  spot: Spot;
  /** The range that has the number; null if none has. */
  range: Range | null;
  /** What the service says of it, once it has. */
  told: Port['state'] | null;
}

/** The state of a port, in whose range it is, and as of when that is known. */
export function StateOfPort({ spot, range, told }: Props) {
  const state = stateOf(spot);
  if (range === null && state === 'free') {
    return <p>No range covers this number: the registry neither hands it out nor watches it.</p>;
  }
  return (
    <>
      <p class="state">
        <strong>
          {/* No audit may have found yet that something listens although nobody holds it. */}
          <StateBadge state={told === 'squatted' && state === 'free' ? 'conflict' : state} />
        </strong>
        {range !== null && (
          <span class="quiet">
            <ProjectLink project={range.project} />, {range.startPort}–{range.endPort}
          </span>
        )}
      </p>
      {range !== null && state === 'unknown' && <Hidden project={range.project} told={told} />}
      {range !== null && state !== 'unknown' && spot.protocol === 'tcp' && (
        <Checked project={range.project} host={spot.host} />
      )}
    </>
  );
}

function Hidden({ project, told }: { project: string; told: Port['state'] | null }) {
  return (
    <p class="quiet">
      {told === 'allocated' && 'Somebody has it. '}
      {told === 'free' && 'Nobody has it. '}
      This key does not cover {project}, so that no more is told of it.
    </p>
  );
}

function Checked({ project, host }: { project: string; host: string }) {
  const audit = auditOf(project, host);
  if (audit === null) return <p class="quiet">No audit has looked yet.</p>;
  return (
    <p class="quiet">
      The last audit was <Age at={audit.checkedAt} />.
    </p>
  );
}
