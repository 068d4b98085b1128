import { formatAge, plural } from '../../format.js';
import { Age } from '../../parts/age.js';
import { nameProjects } from '../../parts/choice.js';
import { Link, ProjectLink } from '../../parts/links.js';
import { addressOfView } from '../../place.js';
import type { Audit } from '../../registry/api.js';
import { host, project } from '../../registry/filters.js';
import { Requester } from '../audits/words.js';
import { checked, type Place } from './found.js';

/** Of which projects and hosts the figures are, and as of when. */
export function Scope() {
  const name = nameProjects(project.value);
  // The name of a project stays as it is.
  const projects = project.value === '' ? `${name.charAt(0).toUpperCase()}${name.slice(1)}` : name;
  const where = `${projects}, ${host.value === '' ? 'all hosts' : `host ${host.value}`}`;
  const audits = checked.value.flatMap(({ audit }) => audit ?? []);
  const [newest] = audits;
  const oldest = audits.at(-1);
  if (newest === undefined || oldest === undefined) return <>{where}. Not checked yet.</>;
  const isPartial = checked.value.some(({ audit }) => audit === null);
  const isSameAge = formatAge(oldest.checkedAt) === formatAge(newest.checkedAt);
  return (
    <>
      {where}. Checked <Checked audit={newest} />
      {!isSameAge && (
        <>
          , and parts of it <Checked audit={oldest} />
        </>
      )}
      {isPartial && ', and parts of it not yet'}.
    </>
  );
}

/** `4 minutes ago, by schedule` */
export function Checked({ audit }: { audit: Audit }) {
  return (
    <Link to={addressOfView('audits', { audit: audit.id })}>
      <Age at={audit.checkedAt} />, by <Requester of={audit} />
    </Link>
  );
}

/** When each part was checked, where that differs. */
export function CheckedParts() {
  const parts = checked.value;
  if (parts.length < 2) return null;
  const unchecked = parts.find(({ audit }) => audit === null)?.places ?? [];
  return (
    <details class="panel checked-parts">
      <summary>
        When each part was checked
        {unchecked.length > 0 && <span class="quiet"> ({plural(unchecked.length, 'part')} not yet)</span>}
      </summary>
      <dl>
        {parts.map(({ audit, places }) => (
          <div key={audit?.id ?? ''}>
            <dt>{audit === null ? 'Not checked yet' : <Checked audit={audit} />}</dt>
            <dd>
              {places.map((place, index) => (
                <PlaceName key={`${place.project} ${place.host}`} place={place} isFirst={index === 0} />
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function PlaceName({ place: { project, host }, isFirst }: { place: Place; isFirst: boolean }) {
  return (
    <>
      {!isFirst && ', '}
      <ProjectLink project={project} />
      {host !== 'localhost' && ` on ${host}`}
    </>
  );
}
