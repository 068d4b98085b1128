import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ProblemCode } from './errors.js';
import type { Observer } from './observer.js';
import { version } from './package-root.js';
import type { ProjectCounts } from './repositories/reports/counts.js';
import { conflictKinds } from './schemas/audit.js';

export interface PoolCounts {
  total: number;
  idle: number;
  waiting: number;
}

const PROJECT_GAUGES = {
  totalPorts: ['ports', "Ports in the project's ranges."],
  allocatedPorts: ['allocated_ports', 'Ports held, in use included.'],
  inUsePorts: ['in_use_ports', 'Ports held that the last probe found listening.'],
  reservedPorts: ['reserved_ports', 'Ports reserved.'],
  coolingPorts: ['cooling_ports', 'Ports released that cool down before reuse.'],
  excludedPorts: ['excluded_ports', 'Ports that nobody is given unasked.'],
  availablePorts: ['available_ports', 'Ports that can be allocated now.'],
} as const;
const DURATION_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * The metrics of one process. Counters and histograms count what this process did. The gauges of projects come from the
 * database, and are the same on every replica. The values of labels are routes, problem codes, and names that are
 * stored in the registry, and never text of a request that was refused, so that clients cannot make their number grow
 * without limit.
 */
export class Metrics implements Observer {
  readonly registry = new Registry();
  readonly #target = { registers: [this.registry] };
  readonly #requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time until the answer was sent, by route pattern.',
    labelNames: ['method', 'route', 'status_code'],
    buckets: DURATION_BUCKETS_SECONDS,
    ...this.#target,
  });
  readonly #allocations = this.#counter('allocations_total', 'Ports allocated.', 'project');
  readonly #releases = this.#counter('releases_total', 'Ports released.', 'project');
  readonly #refusals = this.#counter('refusals_total', 'Requests and tool calls refused.', 'code');
  readonly #cuts = this.#counter('connections_cut_total', 'Connections cut because of a limit.', 'reason');
  readonly #batchSizes = new Histogram({
    name: 'port_allocator_batch_size',
    help: 'Requests that one transaction or query answered together.',
    labelNames: ['queue'],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    ...this.#target,
  });
  readonly #waits = new Histogram({
    name: 'port_allocator_queue_duration_seconds',
    help: 'Time that the oldest request of a batch had waited when the batch began.',
    labelNames: ['queue'],
    buckets: DURATION_BUCKETS_SECONDS,
    ...this.#target,
  });
  readonly #probes = new Histogram({
    name: 'port_allocator_probe_duration_seconds',
    help: 'Time of a TCP probe, by its outcome.',
    labelNames: ['outcome'],
    buckets: DURATION_BUCKETS_SECONDS,
    ...this.#target,
  });
  readonly #findings = this.#gauge('audit_findings', 'Conflicts that the last audit of everything found.', 'kind');
  readonly #findingsAt = this.#gauge('audit_findings_timestamp_seconds', 'When the kind was last looked for.', 'kind');
  readonly #auditedAt = this.#gauge('audit_last_timestamp_seconds', 'When an audit of everything last ended.');
  readonly #eventsWaiting = this.#gauge(
    'events_oldest_waiting_seconds',
    'Age of the oldest event that no reader sees yet; 0 if there is none.',
  );
  readonly #eventStreams = this.#gauge('event_streams', 'Readers that this process streams events to.');
  readonly #cloudflareSucceededAt = this.#gauge(
    'cloudflare_last_success_timestamp_seconds',
    'When a replica last found or put the Cloudflare tunnel in step with the registry.',
  );
  readonly #cloudflarePasses = this.#counter(
    'cloudflare_passes_total',
    'Comparisons of the Cloudflare tunnel with the registry.',
    'outcome',
  );
  readonly #cloudflarePending = this.#gauge(
    'cloudflare_pending_changes',
    'Changes that the last comparison left to be made in Cloudflare.',
  );
  readonly #projectGauges = Object.entries(PROJECT_GAUGES).map(
    ([count, [name, help]]) =>
      [
        count as keyof typeof PROJECT_GAUGES,
        this.#gauge(`project_${name}`, help, 'project', 'host', 'protocol'),
      ] as const,
  );
  readonly #utilization = this.#gauge(
    'project_utilization_ratio',
    'Allocated ports of all ports.',
    'project',
    'host',
    'protocol',
  );
  readonly #webhookAttempts = this.#counter('webhook_attempts_total', 'Events sent to webhooks.', 'outcome');
  readonly #webhooksPending = this.#gauge(
    'webhook_oldest_pending_seconds',
    'How long the oldest event waits to be delivered; of the replica that sends, and 0 of the others.',
  );
  readonly #databaseUp = this.#gauge('database_up', 'Whether the database answered this scrape.');

  /** @param pool counts the connections of the database pool */
  constructor(pool?: () => PoolCounts) {
    collectDefaultMetrics({ register: this.registry });
    // These gauges have names of counters. nodejs_active_handles and its like have the same numbers, by type.
    for (const kind of ['handles', 'requests', 'resources']) {
      this.registry.removeSingleMetric(`nodejs_active_${kind}_total`);
    }
    this.#gauge('build_info', 'The version that runs, as a label; always 1.', 'version').set({ version }, 1);
    if (pool === undefined) return;
    const connections = new Gauge({
      name: 'port_allocator_database_connections',
      help: 'Connections of the pool, and requests that wait for one.',
      labelNames: ['state'],
      ...this.#target,
      collect() {
        const { total, idle, waiting } = pool();
        connections.set({ state: 'busy' }, total - idle);
        connections.set({ state: 'idle' }, idle);
        connections.set({ state: 'waiting' }, waiting);
      },
    });
  }

  answered(method: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ method, route, status_code: status }, seconds);
  }

  batched(queue: string, size: number, waitedSeconds: number): void {
    this.#batchSizes.observe({ queue }, size);
    this.#waits.observe({ queue }, waitedSeconds);
  }

  wrote(project: string, { allocated, released }: { allocated: number; released: number }): void {
    if (allocated > 0) this.#allocations.inc({ project }, allocated);
    if (released > 0) this.#releases.inc({ project }, released);
  }

  probed(outcome: string, seconds: number): void {
    this.#probes.observe({ outcome }, seconds);
  }

  audited(conflicts: readonly { kind: string }[], probedUnallocated: boolean): void {
    for (const kind of conflictKinds) {
      // Keeps the number and the time of the last audit that looked for squatters.
      if (kind === 'squatter' && !probedUnallocated) continue;
      this.#findingsAt.setToCurrentTime({ kind });
      this.#findings.set({ kind }, conflicts.filter((conflict) => conflict.kind === kind).length);
    }
    this.#auditedAt.setToCurrentTime();
  }

  refused(code: ProblemCode): void {
    this.#refusals.inc({ code });
  }

  cut(reason: string): void {
    this.#cuts.inc({ reason });
  }

  eventsWaiting(seconds: number): void {
    this.#eventsWaiting.set(seconds);
  }

  eventStreams(open: number): void {
    this.#eventStreams.set(open);
  }

  webhookAttempted(outcome: 'delivered' | 'failed' | 'disabled'): void {
    this.#webhookAttempts.inc({ outcome });
  }

  webhooksPending(oldestSeconds: number): void {
    this.#webhooksPending.set(oldestSeconds);
  }

  cloudflarePass(outcome: 'succeeded' | 'failed'): void {
    this.#cloudflarePasses.inc({ outcome });
  }

  cloudflareState(succeededAt: Date | null, pendingChanges: number | null): void {
    this.#cloudflareSucceededAt.set((succeededAt?.getTime() ?? 0) / 1000);
    this.#cloudflarePending.set(pendingChanges ?? 0);
  }

  /**
   * Writes Prometheus' text format.
   * @param projects null if the database did not answer; the gauges of projects are then left out
   */
  async render(projects: readonly ProjectCounts[] | null): Promise<string> {
    this.#databaseUp.set(projects === null ? 0 : 1);
    for (const [, gauge] of this.#projectGauges) gauge.reset();
    this.#utilization.reset();
    for (const { project, host, protocol, ...counts } of projects ?? []) {
      const labels = { project, host, protocol };
      for (const [count, gauge] of this.#projectGauges) gauge.set(labels, counts[count]);
      this.#utilization.set(labels, counts.allocatedPorts / counts.totalPorts);
    }
    return this.registry.metrics();
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name: `port_allocator_${name}`, help, labelNames, ...this.#target });
  }

  #gauge(name: string, help: string, ...labelNames: string[]): Gauge {
    return new Gauge({ name: `port_allocator_${name}`, help, labelNames, ...this.#target });
  }
}
