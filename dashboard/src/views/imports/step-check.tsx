import { formatCount, plural } from '../../format.js';
import { type Action, useAction } from '../../parts/action.js';
import { Choice } from '../../parts/choice.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { FreeText } from '../../parts/free-text.js';
import { PortLink, ProjectLink } from '../../parts/links.js';
import { go, parameter } from '../../place.js';
import { ownerOf } from '../../registry/audits.js';
import { nameSpot } from '../../registry/port-space.js';
import { NameField, Refused } from './fields.js';
import { countOutcomes, OUTCOMES, wordDetail } from './outcomes.js';
import {
  changePort,
  checkAgain,
  importPlan,
  needsCheck,
  type Plan,
  type PlannedPort,
  readyOf,
  wantedOf,
} from './plan.js';

/** Which of them are shown; '' for all. */
const outcome = parameter('outcome');

/** The second step: what the import would do. Names can be corrected here, and the registry asked again. */
export function CheckStep({ plan }: { plan: Plan }) {
  const action = useAction();
  const shown = plan.ports.filter((one) => outcome.value === '' || one.outcome === outcome.value);
  const counts = countOutcomes(plan.ports);
  return (
    <>
      <p>{describe(plan)}</p>
      {counts.length > 1 && (
        <div class="filters">
          <Choice
            label="Shown"
            name="outcome"
            options={[
              ['', `All ${formatCount(plan.ports.length)}`],
              ...counts.map(
                ([name, count]) => [name, `${formatCount(count)} ${OUTCOMES[name][wordFor(plan)]}`] as const,
              ),
            ]}
          />
        </div>
      )}
      <DataTable
        caption="What would become of each port"
        columns={columnsFor(plan, action)}
        rows={shown}
        keyOf={({ line }) => line}
        empty="There is no port to import in it."
      />
      <PassedOver plan={plan} />
      <div class="step-actions">
        <Refused action={action} />
        <Buttons plan={plan} action={action} />
      </div>
    </>
  );
}

const wordFor = ({ isImported }: Plan) => (isImported ? 'done' : 'planned');

function describe(plan: Plan): string {
  const word = wordFor(plan);
  const counts = countOutcomes(plan.ports).map(([name, count]) => `${formatCount(count)} ${OUTCOMES[name][word]}`);
  if (plan.passedOverCount > 0) counts.push(`${formatCount(plan.passedOverCount)} passed over`);
  const given = plan.ports.length + plan.passedOverCount;
  const what = plan.isOfText ? plural(given, 'line') : plural(given, 'port');
  const done = plan.isImported
    ? ' This was imported. Check it again to see what there is left to do.'
    : ' Nothing was changed yet.';
  return `${what}: ${counts.join(', ')}.${done}`;
}

function Buttons({ plan, action }: { plan: Plan; action: Action }) {
  const wanted = wantedOf(plan);
  const ready = readyOf(plan);
  const mustCheck = needsCheck(plan);
  const isIdle = !action.isBusy && wanted.length > 0;
  const sent = wanted.map(({ line }) => line);
  const takeOver = async () => {
    await importPlan(plan);
    go({ step: 'done', sort: null, rows: null, outcome: null });
  };
  return (
    <div class="view-actions">
      <button
        type="button"
        class={mustCheck ? 'button' : 'button primary'}
        aria-disabled={!isIdle || mustCheck || ready.length === 0}
        aria-describedby={mustCheck ? 'import-hint' : undefined}
        onClick={() => isIdle && !mustCheck && ready.length > 0 && void action.run(takeOver)}
      >
        Import {plural(ready.length, 'port')}
      </button>
      <button
        type="button"
        class={mustCheck ? 'button primary' : 'button'}
        aria-disabled={!isIdle}
        onClick={() => isIdle && void action.run(() => checkAgain(plan), sent)}
      >
        Check again
      </button>
      {mustCheck && (
        <p id="import-hint" class="quiet">
          {plan.isImported ? 'It was imported.' : 'Names were changed.'} Check again before you import.
        </p>
      )}
      {!mustCheck && wanted.length === 0 && (
        <p class="quiet">Nothing of it can be imported, or all of it is left out.</p>
      )}
    </div>
  );
}

function columnsFor(plan: Plan, { errorOf }: Action): Column<PlannedPort>[] {
  const field = (name: 'service' | 'environment', placeholder: string) => (one: PlannedPort) =>
    one.isEditable && !plan.isImported ? (
      <NameField
        label={`${name === 'service' ? 'Service' : 'Environment'} of ${nameOf(one)}`}
        value={one[name]}
        placeholder={placeholder}
        error={errorOf(one.line, name)}
        onChange={(value) => changePort(one.line, { [name]: value })}
      />
    ) : (
      one[name]
    );
  return [
    {
      id: 'port',
      name: 'Port',
      sortBy: ({ port }) => port,
      isNumber: true,
      cell: (one) => <Wanted plan={plan} of={one} />,
    },
    {
      id: 'project',
      name: 'Project',
      sortBy: ({ port }) => ownerOf(port),
      cell: (one) => <Owner of={ownerOf(one.port)} />,
    },
    {
      id: 'service',
      name: 'Service',
      sortBy: ({ service }) => service,
      cell: field('service', 'left to the registry'),
    },
    {
      id: 'environment',
      name: 'Environment',
      sortBy: ({ environment }) => environment,
      cell: field('environment', 'default'),
    },
    { id: 'outcome', name: 'Outcome', sortBy: (one) => one.outcome, cell: (one) => <Outcome plan={plan} of={one} /> },
  ];
}

const nameOf = ({ line, port, host, protocol }: PlannedPort) =>
  port === null ? `line ${line}` : nameSpot({ port, host, protocol });

function Wanted({ plan, of: one }: { plan: Plan; of: PlannedPort }) {
  const { line, port, host, protocol, isEditable, isWanted, outcome } = one;
  if (isEditable && !plan.isImported) {
    return (
      <label class="wanted">
        <input
          type="checkbox"
          checked={isWanted}
          onChange={({ currentTarget }) => changePort(line, { isWanted: currentTarget.checked })}
        />
        {nameOf(one)}
      </label>
    );
  }
  if (port === null || outcome === 'outside') return <>{nameOf(one)}</>;
  return <PortLink spot={{ port, host, protocol }}>{nameOf(one)}</PortLink>;
}

function Owner({ of: project }: { of: string | null }) {
  return project === null ? null : <ProjectLink project={project} />;
}

function Outcome({ plan, of: one }: { plan: Plan; of: PlannedPort }) {
  const { outcome, isRenamed, isWanted, isEditable } = one;
  if (isEditable && !isWanted) return <span class="quiet">left out</span>;
  if (isRenamed) return <span class="quiet">not checked under this name</span>;
  return (
    <>
      <span class={`outcome ${outcome}`}>{OUTCOMES[outcome][wordFor(plan)]}</span>
      <div class="quiet">
        <FreeText>{wordDetail(one)}</FreeText>
      </div>
    </>
  );
}

function PassedOver({ plan: { passedOver, passedOverCount } }: { plan: Plan }) {
  if (passedOverCount === 0) return null;
  const more = passedOverCount - passedOver.length;
  return (
    <details>
      <summary>{plural(passedOverCount, 'line is', 'lines are')} passed over</summary>
      <ul class="passed-over">
        {passedOver.map(({ line, reason }) => (
          <li key={line}>
            <FreeText>{reason}</FreeText>
          </li>
        ))}
        {more > 0 && <li>And {formatCount(more)} more.</li>}
      </ul>
    </details>
  );
}
