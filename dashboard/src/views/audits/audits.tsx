import { ownProjectNames } from '../../access/own-projects.js';
import { useEventsOf } from '../../feed/events-of.js';
import { formatMoment } from '../../format.js';
import { Age } from '../../parts/age.js';
import { Choice, nameProjects, optionsOf } from '../../parts/choice.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { Link } from '../../parts/links.js';
import { useLoaded } from '../../parts/loaded.js';
import { ViewHead } from '../../parts/view-head.js';
import { addressWith, parameter } from '../../place.js';
import { type Audit, answerOf, api } from '../../registry/api.js';
import { host, hosts, project } from '../../registry/filters.js';
import { scopeOfFilters } from '../findings/found.js';
import { RunAudit } from './audit-status.js';
import { OneAudit } from './one-audit.js';
import { Requester, Scope, tellDuration, tellHealth } from './words.js';

/** An audit of everything can have thousands of findings, and comes with all of them. */
const PAGE = 25;

const chosenAudit = parameter('audit');
/** Behind which place of the list older ones are shown. */
const cursor = parameter('cursor');

/** The audits that are kept. */
export function Audits() {
  return chosenAudit.value === '' ? <List /> : <OneAudit key={chosenAudit.value} id={chosenAudit.value} />;
}

function List() {
  const isChosen = project.value !== '' || host.value !== '';
  const query = {
    limit: PAGE,
    ...(project.value !== '' && { project: project.value }),
    ...(host.value !== '' && { host: host.value }),
    // With a project, those of everything are wanted too.
    ...(isChosen && { covering: true }),
    ...(cursor.value !== '' && { cursor: cursor.value }),
  };
  const { data, error } = useLoaded(
    () => answerOf(api.GET('/v1/audits', { params: { query } })),
    [project.value, host.value, cursor.value, useEventsOf('audit')],
  );
  const where = [nameProjects(project.value), host.value === '' ? 'all hosts' : `host ${host.value}`].join(', ');
  return (
    <>
      <ViewHead
        title="Audits"
        scope={isChosen ? `Those that cover ${where}, newest first.` : 'Those that are kept, newest first.'}
      >
        <RunAudit scope={scopeOfFilters()} button="button primary" />
      </ViewHead>
      <div class="filters">
        <Choice label="Project" name="project" clears={['cursor']} options={optionsOf('All', ownProjectNames.value)} />
        <Choice label="Host" name="host" clears={['cursor']} options={optionsOf('All', hosts.value)} />
      </div>
      <DataTable
        caption="Audits"
        columns={columns}
        rows={data?.items ?? null}
        error={error}
        keyOf={({ id }) => id}
        empty="No audit is kept that covers this. Run one: it probes the ports, and tells where the registry and reality differ."
      />
      <p class="links">
        {data?.nextCursor && <Link to={addressWith({ cursor: data.nextCursor })}>Older audits</Link>}
        {cursor.value !== '' && <Link to={addressWith({ cursor: null })}>Newest audits</Link>}
      </p>
    </>
  );
}

const columns: readonly Column<Audit>[] = [
  {
    id: 'when',
    name: 'When',
    cell: ({ id, checkedAt }) => (
      <>
        <Link to={addressWith({ audit: id })}>{formatMoment(checkedAt)}</Link>
        <br />
        <span class="quiet">
          <Age at={checkedAt} />
        </span>
      </>
    ),
  },
  { id: 'scope', name: 'Of', cell: (audit) => <Scope of={audit} /> },
  { id: 'by', name: 'By', cell: (audit) => <Requester of={audit} /> },
  { id: 'checked', name: 'Ports checked', isNumber: true, cell: ({ checkedPorts }) => checkedPorts },
  { id: 'in-use', name: 'In use', isNumber: true, cell: ({ inUse }) => inUse },
  { id: 'not-running', name: 'Not running', isNumber: true, cell: ({ notRunning }) => notRunning },
  { id: 'health', name: 'Health', isNumber: true, cell: tellHealth },
  {
    id: 'findings',
    name: 'Findings',
    isNumber: true,
    cell: ({ id, conflicts }) =>
      conflicts.length === 0 ? 'none' : <Link to={addressWith({ audit: id })}>{conflicts.length}</Link>,
  },
  { id: 'took', name: 'Took', isNumber: true, cell: tellDuration },
];
