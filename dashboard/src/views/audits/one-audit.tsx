import { formatCount, formatMoment, plural } from '../../format.js';
import { Age } from '../../parts/age.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { FreeText } from '../../parts/free-text.js';
import { Link, PortLink, ProjectLink } from '../../parts/links.js';
import { useLoaded } from '../../parts/loaded.js';
import { ViewHead } from '../../parts/view-head.js';
import { addressOfView, addressWith } from '../../place.js';
import { type Audit, type AuditConflict, answerOf, api, Refusal } from '../../registry/api.js';
import { DEFAULT_SPACE } from '../../registry/port-space.js';
import { describeKind, kindsFor } from '../findings/kinds.js';
import { Requester, Scope, tellDuration, tellHealth } from './words.js';

/** One audit with what it has found. */
export function OneAudit({ id }: { id: string }) {
  const { data, error } = useLoaded(() => readAudit(id), [id]);
  return (
    <>
      <p>
        <Link to={addressWith({ audit: null })}>All audits</Link>
      </p>
      <div role="alert">{error !== null && <p class="refusal">{error}</p>}</div>
      {data === null && error === null && <p class="quiet">Reading…</p>}
      {data === 'gone' && <ViewHead title="Audit" scope="It was deleted for its age, or the link to it is wrong." />}
      {data !== null && data !== 'gone' && <Shown audit={data} />}
    </>
  );
}

async function readAudit(id: string): Promise<Audit | 'gone'> {
  try {
    return await answerOf(api.GET('/v1/audits/{id}', { params: { path: { id } } }));
  } catch (error) {
    const code = error instanceof Refusal ? error.problem?.code : undefined;
    // An id that is none is refused as a field.
    if (code === 'audit-not-found' || code === 'validation-failed') return 'gone';
    throw error;
  }
}

function Shown({ audit }: { audit: Audit }) {
  const { checkedAt, conflicts, project, host } = audit;
  return (
    <>
      <ViewHead
        title={`Audit of ${formatMoment(checkedAt)}`}
        scope={
          <>
            <Age at={checkedAt} />, by <Requester of={audit} />, of <Scope of={audit} />.
          </>
        }
      />
      <Figures audit={audit} />
      <p>
        {conflicts.length === 0
          ? 'Registry and reality agreed.'
          : `${plural(conflicts.length, 'finding')}, as they were then. `}
        <Link to={addressOfView('findings', { project, host: host ?? '' })}>What is still so</Link>
      </p>
      {kindsFor(conflicts).map((kind) => (
        <Group key={kind} kind={kind} findings={conflicts.filter((finding) => finding.kind === kind)} />
      ))}
    </>
  );
}

function Figures({ audit }: { audit: Audit }) {
  const { checkedPorts, allocated, inUse, notRunning, fullyProbedHosts } = audit;
  const figures: [name: string, value: string][] = [
    ['Ports checked', formatCount(checkedPorts)],
    ['Held', formatCount(allocated)],
    ['In use', formatCount(inUse)],
    ['Not running', formatCount(notRunning)],
    ['Health', tellHealth(audit)],
    ['Took', tellDuration(audit)],
    ['Probed whole', fullyProbedHosts.length === 0 ? 'no host' : fullyProbedHosts.join(', ')],
  ];
  return (
    <dl class="panel figures">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Group({ kind, findings }: { kind: AuditConflict['kind']; findings: AuditConflict[] }) {
  if (findings.length === 0) return null;
  const { name, meaning, cell } = describeKind(kind);
  return (
    <section class="found" aria-labelledby={`found-${kind}`}>
      <h3 id={`found-${kind}`}>
        <span class={`cell ${cell}`} aria-hidden="true" /> {name}{' '}
        <span class="quiet">{formatCount(findings.length)}</span>
      </h3>
      <p class="quiet">{meaning}</p>
      <DataTable caption={name} columns={columns} rows={findings} keyOf={keyOf} empty="" />
    </section>
  );
}

/** Two allocations can have one hostname. */
const keyOf = ({ port, host, protocol, project, service, environment }: AuditConflict) =>
  [port, host, protocol, project, service, environment].join(' ');

const columns: readonly Column<AuditConflict>[] = [
  { id: 'port', name: 'Port', isNumber: true, cell: (finding) => <Where of={finding} /> },
  { id: 'service', name: 'Whose', cell: (finding) => <Whose of={finding} /> },
  { id: 'actual', name: 'Found', cell: ({ actual }) => <FreeText>{actual}</FreeText> },
  { id: 'detail', name: 'What it means', cell: ({ detail }) => <FreeText>{detail}</FreeText> },
];

function Where({ of: { port, host, protocol } }: { of: AuditConflict }) {
  if (port === null) return <>{`all of ${host}`}</>;
  return (
    <>
      <PortLink spot={{ port, host, protocol }}>{port}</PortLink>
      {host !== DEFAULT_SPACE.host && ` on ${host}`}
      {protocol === 'udp' && ', UDP'}
    </>
  );
}

function Whose({ of: { project, service, environment } }: { of: AuditConflict }) {
  return (
    <>
      {project !== null && <ProjectLink project={project} />}
      {service !== null && `/${service}`}
      {environment !== null && environment !== 'default' && <span class="quiet"> {environment}</span>}
    </>
  );
}
