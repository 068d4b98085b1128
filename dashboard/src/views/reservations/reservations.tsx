import { computed } from '@preact/signals';
import { mayChange } from '../../access/own-role.js';
import { useEventsOf } from '../../feed/events-of.js';
import { plural } from '../../format.js';
import { Choice, describeProjects, ProjectChoice } from '../../parts/choice.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { useLoaded } from '../../parts/loaded.js';
import { ViewHead } from '../../parts/view-head.js';
import { openDialog, parameter } from '../../place.js';
import { answerOf, api, listAll, MAX_PAGE, type Reservation } from '../../registry/api.js';
import { project } from '../../registry/filters.js';
import { reservations } from '../../registry/store.js';
import { activeColumns, allColumns } from './columns.js';

/** `any` also shows those that have ended. */
const status = parameter('status');

/** The active ones of the project that is chosen, by port. */
const active = computed<Reservation[]>(() =>
  [...reservations.value.values()].filter(isOfProject).sort((a, b) => a.port - b.port),
);

/** What is kept for somebody for a while, and what became of it. */
export function Reservations() {
  const isWithEnded = status.value === 'any';
  return (
    <>
      <ViewHead title="Reservations" scope={describeScope(active.value.length, isWithEnded)}>
        {mayChange.value ? <ReserveButton /> : undefined}
      </ViewHead>
      <div class="filters">
        <ProjectChoice />
        <Choice
          label="Which"
          name="status"
          clears={['sort']}
          options={[
            ['', 'Active ones'],
            ['any', 'Active and ended ones'],
          ]}
        />
      </div>
      {isWithEnded ? <WithEnded /> : <Active rows={active.value} />}
    </>
  );
}

function ReserveButton() {
  return (
    <button type="button" class="button primary" onClick={() => openDialog('reserve', project.value)}>
      Reserve a port
    </button>
  );
}

function Active({ rows }: { rows: readonly Reservation[] }) {
  return (
    <DataTable
      caption="Active reservations"
      columns={offered(activeColumns)}
      rows={rows}
      keyOf={({ id }) => id}
      empty="Nothing is reserved. A reservation keeps a port for a while, for a service that is not there yet."
    />
  );
}

function WithEnded() {
  const changes = useEventsOf('reservation');
  const { data, error } = useLoaded(listWithEnded, [project.value, changes]);
  return (
    <DataTable
      caption="Reservations, those that have ended too"
      columns={offered(allColumns)}
      rows={data}
      keyOf={({ id }) => id}
      error={error}
      empty="Nothing is reserved, and nothing was in the last 7 days."
    />
  );
}

/** The newest first. */
async function listWithEnded(): Promise<Reservation[]> {
  const query = { status: 'any', limit: MAX_PAGE, ...(project.value !== '' && { project: project.value }) } as const;
  const all = await listAll((page) =>
    answerOf(api.GET('/v1/reservations', { params: { query: { ...query, ...page } } })),
  );
  return all.sort((a, b) => b.createdAt.localeCompare(a.createdAt));
}

function offered(columns: readonly Column<Reservation>[]) {
  return mayChange.value ? columns : columns.filter(({ id }) => id !== 'actions');
}

function isOfProject(reservation: Reservation): boolean {
  return project.value === '' || reservation.project === project.value;
}

function describeScope(count: number, isWithEnded: boolean): string {
  const ended = isWithEnded ? ' Those that have ended are kept for 7 days.' : '';
  return `${plural(count, 'active reservation')} ${describeProjects(project.value)}, on every host, TCP and UDP.${ended}`;
}
