import { latestDropped, latestEvents } from '../../feed/changes.js';
import { formatCount, formatDay, formatMoment, plural } from '../../format.js';
import { useLoaded } from '../../parts/loaded.js';
import { held } from '../../registry/store.js';
import { readSteps, type StepsRead, stepsAfter } from './read-steps.js';
import { countByDay, type DayHeld, TREND_DAYS } from './trend.js';

const WIDTH = 600;
const HEIGHT = 100;

/** How many ports a project has held day by day, drawn, in a sentence, and as a table. */
export function Trend({ project }: { project: string }) {
  const { data, error } = useLoaded(async () => ({ read: await readSteps(project) }), [project, latestDropped.value]);
  return (
    <section class="trend" aria-labelledby="trend">
      <div class="section-head">
        <h3 id="trend">Trend</h3>
        <span class="quiet">ports held on all hosts, the last {TREND_DAYS} days</span>
      </div>
      {error !== null && <p class="refusal">{error}</p>}
      {data === null && error === null && <p class="quiet">Reading…</p>}
      {data !== null && data.read === null && (
        <p class="quiet">Too much has changed in these days for this page to count it, so there is no curve.</p>
      )}
      {data?.read && <Curve days={daysOf(data.read, project)} />}
      {data?.read?.knownFrom && (
        <p class="quiet">
          Nothing is known of earlier days: the service keeps no events from before{' '}
          {formatMoment(data.read.knownFrom.toISOString())}.
        </p>
      )}
    </section>
  );
}

/** What has changed since the events were read is in those that the feed has brought. */
function daysOf({ steps, top, knownFrom }: StepsRead, project: string): DayHeld[] {
  const all = [...steps, ...stepsAfter(top, latestEvents.value, project)];
  const now = [...held.value.values()].filter((one) => one.project === project).length;
  return countByDay(all, now, new Date(), knownFrom);
}

function Curve({ days }: { days: DayHeld[] }) {
  const counts = days.map((day) => day.held);
  const [most, least, now] = [Math.max(...counts), Math.min(...counts), counts.at(-1) ?? 0];
  const text =
    most === least
      ? `${plural(now, 'port')} ${now === 1 ? 'was' : 'were'} held on each day.`
      : `Between ${formatCount(least)} and ${plural(most, 'port')} were held, ${formatCount(now)} ${now === 1 ? 'is' : 'are'} now.`;
  if (days.length === 1) return <p>{plural(now, 'port')} held now.</p>;
  const points = days.map(
    (day, index) => `${(index * WIDTH) / (days.length - 1)},${HEIGHT - (day.held * (HEIGHT - 4)) / Math.max(most, 1)}`,
  );
  const [first, last] = [days[0] as DayHeld, days.at(-1) as DayHeld];
  return (
    <>
      <p>{text}</p>
      <div class="trend-scale">
        <span>{formatCount(most)}</span>
      </div>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={text}>
        <path class="area" d={`M0,${HEIGHT} L${points.join(' L')} L${WIDTH},${HEIGHT} Z`} />
        <path class="curve" d={`M${points.join(' L')}`} />
      </svg>
      <div class="trend-scale">
        <span>{formatDay(first.day)}</span>
        <span>{formatDay(last.day)}</span>
      </div>
      <details>
        <summary>As a table</summary>
        <DayTable days={days} />
      </details>
    </>
  );
}

function DayTable({ days }: { days: DayHeld[] }) {
  return (
    <table class="trend-table">
      <caption class="visually-hidden">Ports held at the end of each day</caption>
      <thead>
        <tr>
          <th scope="col">Day</th>
          <th scope="col">Held at its end</th>
        </tr>
      </thead>
      <tbody>
        {days.toReversed().map(({ day, held }) => (
          <tr key={day.getTime()}>
            <th scope="row">{formatDay(day)}</th>
            <td class="number">{formatCount(held)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
