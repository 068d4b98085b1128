import { systemPorts } from '../../src/machine/ephemeral-ports.js';
import { warningsOf } from '../../src/repositories/range-warnings.js';
import type { Command, Details, Key, Space } from './commands.js';

export interface ModelRange {
  startPort: number;
  endPort: number;
  project: string;
  kind: 'project' | 'shared';
  description: string | null;
}

/** An allocation. Immutable, so that copies of a model can share it. */
export type Held = Readonly<
  Key & {
    id: string;
    port: number;
    status: 'allocated' | 'released';
    serviceType: string | null;
    description: string | null;
    cloudflareHostname: string | null;
    metadata: Record<string, unknown> | null;
    /** Whether the hostname was set while another project had it, and nothing is routed to this allocation. */
    isWithheld: boolean;
  }
>;

/** The status of an answer, and its body without times. */
export interface Observation {
  status: number;
  body: unknown;
}

const SIZE = { project: 100, shared: 1000 };

/** A model of the service in memory, for one caller at a time. `apply` says what each answer must be. */
export class Model {
  #ranges: ModelRange[];
  #rows: readonly Held[];
  /** Idempotency keys and the first answers they got. */
  #answers: ReadonlyMap<string, { request: string; held: Held }>;

  constructor(ranges: ModelRange[], rows: readonly Held[], answers: Model['answers'] = new Map()) {
    this.#ranges = ranges;
    this.#rows = rows;
    this.#answers = answers;
  }

  get answers() {
    return this.#answers;
  }

  copy(): Model {
    return new Model(this.#ranges, this.#rows, this.#answers);
  }

  /** The ids of all allocations that were ever made, newest first. */
  ids(): string[] {
    return this.#rows.map((row) => row.id).reverse();
  }

  /**
   * Changes the model as the command should change the registry, and returns the expected answer.
   * @param observed the real answer. Only the id of a new allocation is taken from it, since the model cannot know
   * that.
   */
  apply(command: Command, observed: Observation): Observation {
    switch (command.op) {
      case 'get-or-allocate':
        return this.#getOrAllocate(command, command.details, observed);
      case 'allocate':
        return this.#allocateOnce(command, observed);
      case 'look-up': {
        const [held] = this.#activeOf(command);
        if (held) return { status: 200, body: held };
        return this.#rangesOf(command.project).length > 0
          ? refuse(404, 'allocation-not-found')
          : refuse(404, 'project-not-found');
      }
      case 'read':
        return this.#withRow(command.id, (row) => ({ status: 200, body: row }));
      case 'release':
        return this.#withRow(command.id, (row) => ({ status: 200, body: this.#release(row) }));
      case 'release-key':
        if (this.#rangesOf(command.project).length === 0) return refuse(404, 'project-not-found');
        return { status: 200, body: { items: this.#activeOf(command).map((row) => this.#release(row)) } };
      case 'update':
        return this.#withRow(command.id, (row) =>
          row.status === 'released'
            ? refuse(409, 'allocation-released')
            : { status: 200, body: this.#describe(row, command.details) },
        );
      case 'create-range':
        return this.#createRange(command);
      case 'delete-range':
        return this.#deleteRange(command.startPort);
      case 'list': {
        const items = this.#rows.filter(
          (row) =>
            (command.status === 'any' || (row.status === 'released') === (command.status === 'released')) &&
            (command.project === undefined || row.project === command.project) &&
            (command.service === undefined || row.service === command.service),
        );
        return { status: 200, body: { items: [...items].sort(byPortThenId), nextCursor: null } };
      }
      case 'list-ranges':
        return {
          status: 200,
          body: { items: this.#ranges.map((range) => this.#count(range, command)), nextCursor: null },
        };
      case 'summary':
        return this.#summarize(command);
      case 'port':
        return this.#describePort(command);
    }
  }

  #getOrAllocate(key: Key, details: Details, observed: Observation): Observation {
    if (this.#rangesOf(key.project).length === 0) return refuse(404, 'project-not-found');
    const [held] = this.#activeOf(key);
    if (held) return { status: 200, body: this.#describe(held, details) };
    return this.#take(key, details, null, observed);
  }

  #allocateOnce(command: Command & { op: 'allocate' }, observed: Observation): Observation {
    const { idempotencyKey, ...request } = command;
    const name = `${command.project} ${idempotencyKey}`;
    const answer = idempotencyKey === null ? undefined : this.#answers.get(name);
    if (answer) {
      return answer.request === JSON.stringify(request)
        ? { status: 201, body: answer.held }
        : refuse(422, 'idempotency-key-reused');
    }
    if (this.#rangesOf(command.project).length === 0) return refuse(404, 'project-not-found');
    const answered = this.#take(command, command.details, command.port, observed);
    if (answered.status === 201 && idempotencyKey !== null) {
      const held = answered.body as Held;
      this.#answers = new Map([...this.#answers, [name, { request: JSON.stringify(request), held }]]);
    }
    return answered;
  }

  #take(key: Key, details: Details, wanted: number | null, observed: Observation): Observation {
    const { project, service, environment, host, protocol } = key;
    const ranges = this.#rangesOf(project);
    if (wanted !== null) {
      if (!ranges.some((range) => covers(range, wanted))) return refuse(422, 'port-outside-range');
      const holder = this.#holderOf(wanted, key);
      if (holder) {
        const { id, project, service, environment } = holder;
        return refuse(409, 'port-taken', { kind: 'allocation', id, project, service, environment });
      }
    }
    const port = wanted ?? this.#lowestGap(ranges, key);
    if (port === null) return refuse(409, 'range-exhausted');
    const given = (observed.body as { id?: string } | null)?.id;
    const id = given !== undefined && !this.#rows.some((row) => row.id === given) ? given : 'an id of its own';
    const held: Held = {
      ...{ id, port, project, service, environment, host, protocol, status: 'allocated' },
      ...{ serviceType: null, description: null, cloudflareHostname: null, metadata: null, ...details },
      isWithheld: this.#isOfOther(details.cloudflareHostname ?? null, project),
    };
    this.#rows = [...this.#rows, held];
    return { status: 201, body: held };
  }

  #lowestGap(ranges: ModelRange[], space: Space): number | null {
    const taken = new Set(this.#active().flatMap((row) => (sameSpace(row, space) ? [row.port] : [])));
    for (const { startPort, endPort } of ranges) {
      for (let port = startPort; port <= endPort; port++) if (!taken.has(port)) return port;
    }
    return null;
  }

  #createRange({ project, kind, startPort: wanted, description }: Command & { op: 'create-range' }): Observation {
    let startPort = 3000;
    for (const range of this.#ranges) {
      if (startPort + SIZE[kind] <= range.startPort) break;
      startPort = range.endPort + 1;
    }
    startPort = wanted ?? startPort;
    const range = { startPort, endPort: startPort + SIZE[kind] - 1, project, kind, description };
    if (this.#ranges.some((other) => other.startPort <= range.endPort && range.startPort <= other.endPort)) {
      return refuse(409, 'range-overlap');
    }
    this.#ranges = [...this.#ranges, range].sort((a, b) => a.startPort - b.startPort);
    return { status: 201, body: this.#count(range, { host: 'localhost', protocol: 'tcp' }) };
  }

  #deleteRange(startPort: number): Observation {
    const range = this.#ranges.find((range) => range.startPort === startPort);
    if (!range) return refuse(404, 'range-not-found');
    if (this.#active().some((row) => covers(range, row.port))) return refuse(409, 'range-in-use');
    this.#ranges = this.#ranges.filter((other) => other !== range);
    return { status: 204, body: undefined };
  }

  #summarize({ project, host, protocol }: Command & { op: 'summary' }): Observation {
    const ranges = this.#rangesOf(project).map((range) => this.#count(range, { host, protocol }));
    const [first] = ranges;
    if (!first) return refuse(404, 'project-not-found');
    const totalPorts = ranges.reduce((sum, range) => sum + range.totalPorts, 0);
    const allocatedPorts = ranges.reduce((sum, range) => sum + range.allocatedPorts, 0);
    const hostnames = this.#active()
      .filter((row) => row.project === project && sameSpace(row, { host, protocol }) && row.cloudflareHostname !== null)
      .sort(byPortThenId)
      .map(({ port, service, cloudflareHostname }) => ({ port, service, cloudflareHostname }));
    return {
      status: 200,
      body: {
        ...{ project, host, protocol, rangeStart: first.startPort, rangeEnd: first.endPort },
        ...figures(totalPorts, allocatedPorts),
        ranges,
        hostnames,
      },
    };
  }

  #describePort({ port, host, protocol }: Command & { op: 'port' }): Observation {
    const range = this.#ranges.find((range) => covers(range, port));
    const allocation = this.#holderOf(port, { host, protocol }) ?? null;
    const state = range ? (allocation ? 'allocated' : 'free') : 'unmanaged';
    const counted = range ? this.#count(range, { host, protocol }) : null;
    return { status: 200, body: { port, host, protocol, state, range: counted, allocation, reservation: null } };
  }

  #count(range: ModelRange, space: Space) {
    const warnings = warningsOf({ start: range.startPort, end: range.endPort }, systemPorts());
    const held = this.#active().filter((row) => covers(range, row.port) && sameSpace(row, space)).length;
    return { ...range, reuseCooldownSeconds: 0, ...figures(SIZE[range.kind], held), warnings };
  }

  #withRow(id: string, answer: (row: Held) => Observation): Observation {
    const row = this.#rows.find((row) => row.id === id);
    return row ? answer(row) : refuse(404, 'allocation-not-found');
  }

  #release(row: Held): Held {
    return this.#replace(row, { ...row, status: 'released', isWithheld: false });
  }

  #describe(row: Held, details: Details): Held {
    const { cloudflareHostname: hostname } = details;
    const isSetAgain = hostname === row.cloudflareHostname && !row.isWithheld;
    const isWithheld = hostname === undefined ? row.isWithheld : !isSetAgain && this.#isOfOther(hostname, row.project);
    return this.#replace(row, { ...row, ...details, isWithheld });
  }

  #isOfOther(hostname: string | null, project: string): boolean {
    return this.#active().some(
      (row) => hostname !== null && row.cloudflareHostname === hostname && row.project !== project && !row.isWithheld,
    );
  }

  #replace(row: Held, changed: Held): Held {
    this.#rows = this.#rows.map((other) => (other === row ? changed : other));
    return changed;
  }

  #active(): Held[] {
    return this.#rows.filter((row) => row.status !== 'released');
  }

  #holderOf(port: number, space: Space): Held | undefined {
    return this.#active().find((row) => row.port === port && sameSpace(row, space));
  }

  #activeOf({ project, service, environment, ...space }: Key): Held[] {
    return this.#active()
      .filter((row) => row.project === project && row.service === service && row.environment === environment)
      .filter((row) => sameSpace(row, space))
      .sort(byPortThenId);
  }

  #rangesOf(project: string): ModelRange[] {
    return this.#ranges.filter((range) => range.project === project);
  }
}

const refuse = (status: number, code: string, holder?: object): Observation => ({
  status,
  body: { code, ...(holder && { holder }) },
});

const figures = (totalPorts: number, allocatedPorts: number) => ({
  ...{ totalPorts, allocatedPorts, inUsePorts: 0, reservedPorts: 0, coolingPorts: 0, excludedPorts: 0 },
  availablePorts: totalPorts - allocatedPorts,
  utilization: Math.round((allocatedPorts / totalPorts) * 10_000) / 100,
});

const covers = (range: ModelRange, port: number) => range.startPort <= port && port <= range.endPort;
const sameSpace = (a: Space, b: Space) => a.host === b.host && a.protocol === b.protocol;
const byPortThenId = (a: Held, b: Held) => a.port - b.port || (a.id < b.id ? -1 : 1);
