import { latestDropped, latestEvents } from '../../feed/changes.js';
import { Link } from '../../parts/links.js';
import { useLoaded } from '../../parts/loaded.js';
import { addressOfView } from '../../place.js';
import { EventList } from '../activity/event-list.js';
import { placeOf, readEventsBefore } from '../activity/read-events.js';

/** How many events are shown; the view of the activity has the others. */
const MOST_EVENTS = 12;

/** What has happened in a project, and who did it. */
export function ProjectHistory({ project }: { project: string }) {
  const { data, error } = useLoaded(
    () => readEventsBefore(null, { project, types: [], isWanted: null }),
    [project, latestDropped.value],
  );
  const latest =
    data === null ? [] : latestEvents.value.filter((event) => event.project === project && placeOf(event) > data.top);
  const events = [...latest, ...(data?.events ?? [])].slice(0, MOST_EVENTS);
  return (
    <section aria-labelledby="history">
      <div class="section-head">
        <h3 id="history">History</h3>
        <Link to={addressOfView('activity', { project })}>All of it</Link>
      </div>
      {error !== null && <p class="refusal">{error}</p>}
      {data === null && error === null && <p class="quiet">Reading…</p>}
      {data !== null && events.length === 0 && <p class="quiet">Nothing has happened in it since events are kept.</p>}
      <EventList events={events} />
    </section>
  );
}
