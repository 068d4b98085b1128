import type { TargetedSubmitEvent } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { formatMoment, plural } from '../../format.js';
import { Choice, describeProjects, optionsOf, ProjectChoice } from '../../parts/choice.js';
import { DataTable } from '../../parts/data-table.js';
import { useLoaded } from '../../parts/loaded.js';
import { ViewHead } from '../../parts/view-head.js';
import { go, parameter } from '../../place.js';
import { host, hosts, project } from '../../registry/filters.js';
import { columns } from './columns.js';
import { type Past, readPast, type Wanted } from './read-past.js';

/** `released`: what was released, whenever. Else what was held at `at`. */
const show = parameter('show');
/** In RFC 3339, so that the address is the same moment wherever it is opened. */
const at = parameter('at');

const HOUR_MS = 3_600_000;
const AGO: [name: string, ms: number][] = [
  ['An hour ago', HOUR_MS],
  ['A day ago', 24 * HOUR_MS],
  ['A week ago', 168 * HOUR_MS],
];

/** What was held at a moment, or was released since. It is read once, and nothing can be done with it. */
export function Moment() {
  const isReleased = show.value === 'released';
  const wanted: Wanted = { at: isReleased ? null : at.value, project: project.value, host: host.value };
  const isAsked = isReleased || at.value !== '';
  const { data, error } = useLoaded<Past | null>(
    async () => (isAsked ? readPast(wanted) : null),
    [JSON.stringify(wanted)],
  );
  // Never what was read of another moment under the name of this one.
  const past = data !== null && JSON.stringify(data.wanted) === JSON.stringify(wanted) ? data : null;
  return (
    <>
      <ViewHead title={titleOf(wanted)} scope={describeScope(wanted, past)} />
      <div class="filters">
        <Choice
          label="Show"
          name="show"
          options={[
            ['', 'What was held at a moment'],
            ['released', 'What was released'],
          ]}
          clears={['at']}
        />
        {!isReleased && <MomentField />}
        <ProjectChoice />
        <Choice label="Host" name="host" options={optionsOf('All hosts', hosts.value)} />
      </div>
      {isAsked ? (
        <>
          <p class="panel">
            <strong>This is the past.</strong> It does not follow changes, and nothing can be done with it. Who has
            these numbers now is under Services.
            {past?.isCut && ' These are the first of them by port: choose a project or a host to see all of it.'}
          </p>
          <DataTable
            caption={titleOf(wanted)}
            columns={columns}
            rows={past === null ? null : past.found}
            keyOf={({ id }) => id}
            error={error}
            empty={
              isReleased
                ? 'Nothing was released there, or so long ago that it is not kept any more.'
                : 'Nothing was held then, or it was released so long ago that it is not kept any more.'
            }
          />
        </>
      ) : (
        <p class="moment-choices">
          Choose a moment, or one of these:
          {AGO.map(([name, ms]) => (
            <Ago key={name} name={name} ms={ms} />
          ))}
        </p>
      )}
    </>
  );
}

function titleOf({ at }: Wanted): string {
  if (at === null) return 'What was released';
  const isMoment = !Number.isNaN(Date.parse(at));
  return isMoment ? `What was held on ${formatMoment(at)}` : 'What was held at a moment';
}

function describeScope({ project, host }: Wanted, past: Past | null): string {
  const where = host === '' ? 'on every host' : `on ${host}`;
  const known = past === null ? 'Ports' : plural(past.found.length, 'port');
  return `${known} ${describeProjects(project)} ${where}, TCP and UDP.`;
}

/** It is asked for by Enter or the button, because each part that is typed would be a moment of its own. */
function MomentField() {
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (field.current) field.current.value = toLocal(at.value);
  }, [at.value]);
  const choose = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get('at') ?? '');
    if (text !== '') go({ at: new Date(text).toISOString() });
  };
  return (
    <form class="moment-field" onSubmit={choose}>
      <label>
        Moment
        <input ref={field} type="datetime-local" name="at" required />
      </label>
      <button type="submit" class="button">
        Show
      </button>
    </form>
  );
}

function Ago({ name, ms }: { name: string; ms: number }) {
  return (
    <button type="button" class="button" onClick={() => go({ at: new Date(Date.now() - ms).toISOString() })}>
      {name}
    </button>
  );
}

/** As such a field has it: in the time of this machine, to the minute. */
function toLocal(iso: string): string {
  const time = Date.parse(iso);
  if (Number.isNaN(time)) return '';
  return new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
