import { plural } from '../../format.js';
import { type Action, useAction } from '../../parts/action.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { FreeText } from '../../parts/free-text.js';
import { Link, ProjectLink } from '../../parts/links.js';
import { addressWith, go } from '../../place.js';
import { project } from '../../registry/filters.js';
import { readSoon } from '../../registry/readings.js';
import { listening } from '../../registry/store.js';
import { type Candidate, candidates, chooseOf, outside } from './candidates.js';
import { NameField, Refused } from './fields.js';
import { checkCandidates } from './plan.js';

/** What listens on the machine of the service, to be chosen and named. */
export function Listeners() {
  const all = candidates.value.filter((one) => project.value === '' || one.project === project.value);
  const wanted = all.filter(({ isWanted }) => isWanted);
  const action = useAction();
  const check = () =>
    action.run(
      async () => {
        await checkCandidates(wanted);
        go({ step: 'check', sort: null, rows: null });
      },
      wanted.map(({ spot }) => spot),
    );
  return (
    <>
      <p class="quiet">
        What listens on the machine of the service, in a range, on ports that nobody holds. Those that are reserved or
        excluded are not chosen unless you do.
      </p>
      <DataTable
        caption="Listeners on ports that nobody holds"
        columns={columnsFor(action)}
        rows={all}
        keyOf={({ spot }) => spot}
        empty={<Nothing />}
      />
      <Outside />
      <div class="step-actions">
        <Refused action={action} />
        <div class="view-actions">
          <button
            type="button"
            class="button primary"
            aria-disabled={action.isBusy || wanted.length === 0}
            onClick={() => wanted.length > 0 && void check()}
          >
            Check {plural(wanted.length, 'port')}
          </button>
          {all.length > 0 && (
            <button
              type="button"
              class="button"
              onClick={() =>
                chooseOf(
                  all.map(({ spot }) => spot),
                  { isWanted: wanted.length < all.length },
                )
              }
            >
              {wanted.length < all.length ? 'Choose all' : 'Choose none'}
            </button>
          )}
          <button type="button" class="button" onClick={() => readSoon('listening', 0)}>
            Look again
          </button>
        </div>
      </div>
    </>
  );
}

function columnsFor({ errorOf }: Action): Column<Candidate>[] {
  return [
    {
      id: 'port',
      name: 'Port',
      sortBy: ({ listener }) => listener.port,
      isNumber: true,
      cell: (one) => <Wanted of={one} />,
    },
    {
      id: 'process',
      name: 'Process',
      sortBy: ({ listener }) => listener.process,
      cell: ({ listener }) => <Process of={listener} />,
    },
    {
      id: 'project',
      name: 'Project',
      sortBy: ({ project }) => project,
      cell: ({ project }) => <ProjectLink project={project} />,
    },
    {
      id: 'service',
      name: 'Service',
      cell: (one) => (
        <NameField
          label={`Service of ${one.spot}`}
          value={one.service}
          placeholder="left to the registry"
          error={errorOf(one.spot, 'service')}
          onChange={(service) => chooseOf([one.spot], { service })}
        />
      ),
    },
    {
      id: 'environment',
      name: 'Environment',
      cell: (one) => (
        <NameField
          label={`Environment of ${one.spot}`}
          value={one.environment}
          placeholder="default"
          error={errorOf(one.spot, 'environment')}
          onChange={(environment) => chooseOf([one.spot], { environment })}
        />
      ),
    },
  ];
}

function Wanted({ of: { spot, isWanted } }: { of: Candidate }) {
  return (
    <label class="wanted">
      <input
        type="checkbox"
        checked={isWanted}
        onChange={({ currentTarget }) => chooseOf([spot], { isWanted: currentTarget.checked })}
      />
      {spot}
    </label>
  );
}

function Process({ of: { process, pid, path } }: { of: Candidate['listener'] }) {
  return (
    <>
      {process === null ? <span class="quiet">cannot be seen from here</span> : <FreeText>{process}</FreeText>}
      {pid !== null && <span class="quiet"> pid {pid}</span>}
      {path !== null && (
        <div class="quiet">
          <code>
            <FreeText>{path}</FreeText>
          </code>
        </div>
      )}
    </>
  );
}

function Nothing() {
  return (
    <>
      {listening.value.length === 0
        ? 'What listens on the machine of the service cannot be seen from here.'
        : 'Whatever listens in a range there has its port already.'}{' '}
      <Link to={addressWith({ source: 'text' })}>Paste a list</Link> to import from another machine.
    </>
  );
}

/** What could only be imported if a project had a range there. */
function Outside() {
  const all = outside.value;
  if (all.length === 0) return null;
  return (
    <details>
      <summary>{plural(all.length, 'more listener is', 'more listeners are')} in no range</summary>
      <p class="quiet">
        They can be imported once a project has a range that covers them. Ranges lie in 3000–64999; a service below that
        has to move.
      </p>
      <ul class="outside-list">
        {all.map(({ port, protocol, process }) => (
          <li key={`${port} ${protocol}`}>
            <span class="number">{port}</span>
            {protocol === 'udp' && '/udp'} {process !== null && <FreeText>{process}</FreeText>}
          </li>
        ))}
      </ul>
    </details>
  );
}
