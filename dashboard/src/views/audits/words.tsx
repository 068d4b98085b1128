import { Fragment } from 'preact';
import { formatCount } from '../../format.js';
import { FreeText } from '../../parts/free-text.js';
import { ProjectLink } from '../../parts/links.js';
import type { Audit } from '../../registry/api.js';

/** Of what an audit was. */
export function Scope({ of: { covers, host, unallocated } }: { of: Audit }) {
  return (
    <>
      {covers === null && 'all projects'}
      {covers?.map((project, index) => (
        <Fragment key={project}>
          {index > 0 && ', '}
          <ProjectLink project={project} />
        </Fragment>
      ))}
      {host === null ? '' : ` on ${host}`}
      {unallocated ? ', free ports too' : ', what is held'}
    </>
  );
}

/** Who has asked for it. */
export function Requester({ of: { requestedBy } }: { of: Audit }) {
  if (requestedBy === 'anonymous') return <>somebody without a key</>;
  return <FreeText>{requestedBy}</FreeText>;
}

/** `97.5 %` of what was probed was open. */
export const tellHealth = ({ health }: Audit): string => (health === null ? 'nothing probed' : `${health} %`);

const SECOND_MS = 1000;

export const tellDuration = ({ durationMs }: Audit): string =>
  durationMs < SECOND_MS ? `${Math.round(durationMs)} ms` : `${formatCount(Math.round(durationMs / SECOND_MS))} s`;
