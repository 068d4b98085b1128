import { Fragment } from 'preact';
import type { FieldChange } from '../../events/field-changes.js';
import { nameOfPort, type Part } from '../../events/parts.js';
import { describeEvent, type Sign } from '../../events/words.js';
import { formatMoment } from '../../format.js';
import { FreeText } from '../../parts/free-text.js';
import { Link, PortLink, ProjectLink } from '../../parts/links.js';
import { addressOfView } from '../../place.js';
import type { FeedEvent } from '../../registry/api.js';

/** Events in words, newest first, under a heading for each day. */
export function EventList({ events }: { events: readonly FeedEvent[] }) {
  return (
    <div class="events">
      {byDay(events).map(([day, ofDay]) => (
        <section key={day} aria-label={day}>
          <h3>{day}</h3>
          <ol>
            {ofDay.map((event) => (
              <Row key={event.id} event={event} />
            ))}
          </ol>
        </section>
      ))}
    </div>
  );
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

function byDay(events: readonly FeedEvent[]): [day: string, events: FeedEvent[]][] {
  const days = new Map<string, FeedEvent[]>();
  for (const event of events) {
    const name = day.format(new Date(event.time));
    const others = days.get(name);
    if (others === undefined) days.set(name, [event]);
    else others.push(event);
  }
  return [...days];
}

/** Beside an event, so that the kinds are found at a glance. */
const SIGNS: Record<Sign, string> = { new: '+', changed: '~', ended: '−', up: '▲', down: '▼', told: '•' };

function Row({ event }: { event: FeedEvent }) {
  const { sign, sentence, changes, by } = describeEvent(event);
  return (
    <li>
      <time dateTime={event.time} title={formatMoment(event.time)}>
        {clock.format(new Date(event.time))}
      </time>
      <span class={`sign ${sign}`} aria-hidden="true">
        {SIGNS[sign]}
      </span>
      <div>
        <p>
          <Parts parts={sentence} />.{' '}
          <span class="quiet">
            <Parts parts={by} />
          </span>
        </p>
        {changes.length > 0 && (
          <ul class="changes">
            {changes.map((change) => (
              <Change key={change.field} {...change} />
            ))}
          </ul>
        )}
      </div>
    </li>
  );
}

function Change({ field, before, after }: FieldChange) {
  if (before === undefined && after === undefined) return <li>{field}: changed</li>;
  return (
    <li>
      {field}: <Value value={before ?? null} /> <span aria-hidden="true">→</span>
      <span class="visually-hidden">, now</span> <Value value={after ?? null} />
    </li>
  );
}

const Value = ({ value }: { value: Part | null }) =>
  value === null ? <span class="quiet">nothing</span> : <Parts parts={[value]} />;

function Parts({ parts }: { parts: readonly Part[] }) {
  return parts.map((part, index) => <Fragment key={index}>{show(part)}</Fragment>);
}

function show(part: Part) {
  if (typeof part === 'string') return part;
  if ('port' in part) return <PortLink spot={part}>{nameOfPort(part)}</PortLink>;
  if ('project' in part) return <ProjectLink project={part.project} />;
  if ('text' in part) return <FreeText>{part.text}</FreeText>;
  if ('time' in part) return <time dateTime={part.time}>{showMoment(part.time)}</time>;
  return (
    <Link to={addressOfView(part.view, part.of)}>
      <FreeText>{part.name}</FreeText>
    </Link>
  );
}

/** Somebody in the database may have set a time that is none, such as `infinity`. */
const showMoment = (time: string) => (Number.isNaN(Date.parse(time)) ? time : formatMoment(time));
