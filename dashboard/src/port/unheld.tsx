import { mayTake } from '../access/own-projects.js';
import { isAdmin } from '../access/own-role.js';
import { Age } from '../parts/age.js';
import { Ask } from '../parts/ask.js';
import { nameSpot, type Spot } from '../registry/port-space.js';
import { coolingBySpot, excluded } from '../registry/store.js';
import { nameSubject } from './subject.js';

/** What can be done with a number that nobody holds or has reserved. */
export function UnheldPort({ spot, project }: { spot: Spot; project: string }) {
  const cooling = coolingBySpot.value.get(nameSpot(spot));
  const about = nameSubject({ project, spot });
  return (
    <>
      {cooling && (
        <p class="note">
          {cooling.project}/{cooling.service} released it{' '}
          {cooling.releasedAt === null ? 'a short while ago' : <Age at={cooling.releasedAt} />}. It is kept from other
          services until they have forgotten it.
        </p>
      )}
      <div class="buttons">
        {mayTake(project, spot.host) && <Ask kind="get" about={about} name="Get this port" />}
        {mayTake(project, spot.host) && <Ask kind="reserve" about={about} name="Reserve it" />}
        {isAdmin.value && !excluded.value.has(spot.port) && (
          <Ask kind="exclude" about={String(spot.port)} name="Exclude it" />
        )}
      </div>
    </>
  );
}
