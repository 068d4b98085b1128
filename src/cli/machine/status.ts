import type { Command } from 'commander';
import type { Connection } from '../../client/connection.js';
import { ClientFailure } from '../../client/failure.js';
import type { Settings } from '../../client/settings.js';
import type { Detected } from '../../detection/detect.js';
import type { Allocation } from '../../schemas/allocation.js';
import type { Audit } from '../../schemas/audit.js';
import type { ProjectSummary } from '../../schemas/range.js';
import { openContext } from '../context.js';
import { findLastAudit } from '../last-audit.js';
import { findHere, findOnRecord } from '../ports/here.js';
import { askRemote } from './remote-service.js';
import { findService } from './service-state.js';

/** The most allocations of one page. */
const PAGE_SIZE = 1000;

interface ServiceStatus {
  state: 'running' | 'none' | 'unreachable';
  mode: 'foreground' | 'background' | null;
  pid: number | null;
  url: string | null;
  /** Null for the service at PORT_ALLOCATOR_URL, which does not tell. */
  dataDir: string | null;
  version: string | null;
  startedAt: string | null;
  /** Why it cannot be used. */
  problem: string | null;
}

/** How many ports this environment holds, and how full the ranges of its project are. */
interface PortsStatus {
  held: number;
  /** Whether there are more than `held`. */
  isMore: boolean;
  ranges: Pick<
    ProjectSummary['ranges'][number],
    'startPort' | 'endPort' | 'allocatedPorts' | 'totalPorts' | 'utilization'
  >[];
  /** The last audit that covers the project on this machine; null if none is kept. */
  lastAudit: Pick<Audit, 'id' | 'checkedAt' | 'requestedBy' | 'health'> | null;
}

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('tells of the service, and of the project and environment of this folder; starts nothing')
    .addHelpText('after', '\nExamples:\n  pa status\n  pa status --json')
    .action(async (_options, command: Command) => {
      const context = openContext(command);
      const { settings, connection, output } = context;
      const service = await describeService(settings, connection);
      const here = await findHere(context);
      const detected = service.state === 'running' ? await findOnRecord(connection, here) : here;
      const ports = service.state === 'running' ? await countPorts(connection, detected) : null;
      const { project, environment, path, reasons, manifest } = detected;
      const value = { service, project, environment, path, reasons, manifest: manifest?.file ?? null, ports };
      output.answer(formatStatus(service, detected, ports), value);
    });
}

async function describeService(settings: Settings, connection: Connection): Promise<ServiceStatus> {
  const { url, dataDir } = settings;
  const nothing = { mode: null, pid: null, url, dataDir: null, version: null, startedAt: null, problem: null };
  if (url !== null) {
    const { version, failure } = await askRemote(connection);
    const state = failure === null ? 'running' : 'unreachable';
    return { state, ...nothing, version, problem: failure?.message ?? null };
  }
  const found = await findService(dataDir);
  if (found.state === 'running') return { state: 'running', ...nothing, ...found.service };
  if (found.state === 'none') return { state: 'none', ...nothing, dataDir };
  const pid = found.holder?.pid ?? null;
  return { state: 'unreachable', ...nothing, pid, dataDir, problem: 'It does not answer: see port-allocator doctor.' };
}

async function countPorts(connection: Connection, { project, environment }: Detected): Promise<PortsStatus> {
  const summaryPath = `/v1/projects/${encodeURIComponent(project)}/summary`;
  try {
    const { ranges } = await connection.send<ProjectSummary>({ method: 'GET', path: summaryPath });
    const query = { project, environment, limit: PAGE_SIZE };
    const page = await connection.send<{ items: Allocation[]; nextCursor: string | null }>({
      method: 'GET',
      path: '/v1/allocations',
      query,
    });
    const audit = await findLastAudit(connection, { project, host: 'localhost' });
    return {
      held: page.items.length,
      isMore: page.nextCursor !== null,
      ranges: ranges.map(({ startPort, endPort, allocatedPorts, totalPorts, utilization }) => {
        return { startPort, endPort, allocatedPorts, totalPorts, utilization };
      }),
      lastAudit: audit && toOutline(audit),
    };
  } catch (error) {
    const isUnknown = error instanceof ClientFailure && error.problem?.code === 'project-not-found';
    if (isUnknown) return { held: 0, isMore: false, ranges: [], lastAudit: null };
    throw error;
  }
}

function formatStatus(service: ServiceStatus, detected: Detected, ports: PortsStatus | null): string {
  const { project, environment, path, reasons } = detected;
  const lines: [string, string][] = [
    ['service', formatService(service)],
    ...(service.version === null ? [] : [['', `version ${service.version}`] as [string, string]]),
    ...(service.dataDir === null ? [] : [['', `data in ${service.dataDir}`] as [string, string]]),
    ['project', `${project}, ${reasons.project}`],
    ['environment', `${environment}, ${reasons.environment}`],
    ['folder', path],
    ...(ports === null ? [] : [['ports', formatPorts(ports)] as [string, string]]),
    ...(!ports?.ranges.length ? [] : [['last audit', formatAudit(ports)] as [string, string]]),
  ];
  return lines.map(([name, text]) => `${name.padEnd(13)}${text}`).join('\n');
}

const toOutline = ({ id, checkedAt, requestedBy, health }: Audit) => ({ id, checkedAt, requestedBy, health });

function formatAudit({ lastAudit }: PortsStatus): string {
  if (lastAudit === null) return 'not checked yet; pa audit checks what listens';
  const { checkedAt, requestedBy, health } = lastAudit;
  const found = health === null ? 'nothing was probed' : `${health} % of what it probed was in use`;
  return `${checkedAt}, asked for by ${requestedBy}; ${found}`;
}

function formatService({ state, mode, pid, url, startedAt, problem }: ServiceStatus): string {
  if (state === 'none') return 'none runs; the next command starts it';
  if (state === 'unreachable') return `${url ?? `pid ${pid ?? 'unknown'}`}: ${problem}`;
  if (mode === null) return `at ${url}`;
  return `running in the ${mode}, pid ${pid}${url === null ? '' : `, ${url}`}, since ${startedAt}`;
}

function formatPorts({ held, isMore, ranges }: PortsStatus): string {
  if (ranges.length === 0) return 'none held here; the project is created with its first port';
  const full = ranges.map(
    ({ startPort, endPort, allocatedPorts, totalPorts, utilization }) =>
      `range ${startPort}-${endPort} has ${allocatedPorts} of ${totalPorts} held (${utilization} %)`,
  );
  return [`${held}${isMore ? ' or more' : ''} held here`, ...full].join('; ');
}
