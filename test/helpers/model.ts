import type { Command, Details, Key, Space, Wish } from './commands.js';
import {
  byPortThenId,
  count,
  covers,
  type Excluded,
  figures,
  freePorts,
  type Held,
  idsOf,
  isListed,
  lowestBlock,
  type ModelRange,
  NO_WISH,
  type Observation,
  refuse,
  SIZE,
  sameSpace,
  tellExcluded,
  withoutHostname,
} from './model-values.js';

/** A model of the service in memory, for one caller at a time. `apply` says what each answer must be. */
export class Model {
  #ranges: ModelRange[];
  #rows: readonly Held[];
  /** Idempotency keys and the first answers they got. */
  #answers: ReadonlyMap<string, { request: string; held: Held }>;
  #excluded: Excluded;

  constructor(ranges: ModelRange[], rows: readonly Held[], excluded: Excluded, answers: Model['answers'] = new Map()) {
    this.#ranges = ranges;
    this.#rows = rows;
    this.#excluded = excluded;
    this.#answers = answers;
  }

  get answers() {
    return this.#answers;
  }

  copy(): Model {
    return new Model(this.#ranges, this.#rows, this.#excluded, this.#answers);
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
      case 'allocate-both':
        return this.#allocateBoth(command, observed);
      case 'look-up': {
        const [held] = this.#activeOf(command);
        if (held) return { status: 200, body: this.#tell(held) };
        return this.#rangesOf(command.project).length > 0
          ? refuse(404, 'allocation-not-found')
          : refuse(404, 'project-not-found');
      }
      case 'read':
        return this.#withRow(command.id, (row) => ({ status: 200, body: this.#tell(row) }));
      case 'release':
        return this.#withRow(command.id, (row) => ({ status: 200, body: this.#tell(this.#release(row)) }));
      case 'release-key':
        if (this.#rangesOf(command.project).length === 0) return refuse(404, 'project-not-found');
        return { status: 200, body: { items: this.#activeOf(command).map((row) => this.#tell(this.#release(row))) } };
      case 'update':
        return this.#withRow(command.id, (row) =>
          row.status === 'released'
            ? refuse(409, 'allocation-released')
            : { status: 200, body: this.#tell(this.#describe(row, command.details)) },
        );
      case 'create-range':
        return this.#createRange(command);
      case 'delete-range':
        return this.#deleteRange(command.startPort);
      case 'exclude': {
        const status = this.#excluded.has(command.port) ? 200 : 201;
        this.#excluded = new Map([...this.#excluded, [command.port, 'A test wants it so.']]);
        return { status, body: tellExcluded(this.#excluded, command.port) };
      }
      case 'include':
        if (!this.#excluded.has(command.port)) return refuse(404, 'excluded-port-not-found');
        this.#excluded = new Map([...this.#excluded].filter(([port]) => port !== command.port));
        return { status: 204, body: undefined };
      case 'list': {
        const items = this.#rows.filter((row) => isListed(row, command));
        const told = [...items].sort(byPortThenId).map((row) => this.#tell(row));
        return { status: 200, body: { items: told, nextCursor: null } };
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
    if (held) return { status: 200, body: this.#tell(this.#describe(held, details)) };
    return this.#take([key], details, NO_WISH, observed);
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
    const answered = this.#take([command], command.details, command, observed);
    if (answered.status === 201 && idempotencyKey !== null) {
      const held = answered.body as Held;
      this.#answers = new Map([...this.#answers, [name, { request: JSON.stringify(request), held }]]);
    }
    return answered;
  }

  #allocateBoth(command: Command & { op: 'allocate-both' }, observed: Observation): Observation {
    if (this.#rangesOf(command.project).length === 0) return refuse(404, 'project-not-found');
    const keys = (['tcp', 'udp'] as const).map((protocol) => ({ ...command, protocol }));
    return this.#take(keys, command.details, command, observed);
  }

  /** Takes one port for the keys, which are one, or the same for two protocols. */
  #take(keys: Key[], details: Details, { port: wanted, prefer }: Wish, observed: Observation): Observation {
    const ranges = this.#rangesOf((keys[0] as Key).project);
    if (wanted !== null) {
      if (!ranges.some((range) => covers(range, wanted))) return refuse(422, 'port-outside-range');
      const holder = keys.map((key) => this.#holderOf(wanted, key)).find((held) => held !== undefined);
      if (holder) {
        const { id, project, service, environment } = holder;
        return refuse(409, 'port-taken', { kind: 'allocation', id, project, service, environment });
      }
    }
    const free = freePorts(ranges, keys, this.#active(), this.#excluded);
    const port = wanted ?? (prefer !== null && free.includes(prefer) ? prefer : free[0]);
    if (port === undefined) return refuse(409, 'range-exhausted');
    const given = idsOf(observed.body);
    const held = keys.map((key, i) => this.#insert(key, port, i === 0 ? details : withoutHostname(details), given[i]));
    const told = held.map((row) => this.#tell(row));
    return { status: 201, body: keys.length === 1 ? told[0] : { items: told } };
  }

  #insert(
    { project, service, environment, host, protocol }: Key,
    port: number,
    details: Details,
    given?: string,
  ): Held {
    const id = given !== undefined && !this.#rows.some((row) => row.id === given) ? given : 'an id of its own';
    const held: Held = {
      ...{ id, port, project, service, environment, host, protocol, status: 'allocated' },
      ...{ serviceType: null, description: null, cloudflareHostname: null, metadata: null, ...details },
      isWithheld: this.#isOfOther(details.cloudflareHostname ?? null, project),
    };
    this.#rows = [...this.#rows, held];
    return held;
  }

  /** An allocation as answers have it. */
  #tell(row: Held): Held & { isExcluded: boolean } {
    return { ...row, isExcluded: row.status !== 'released' && this.#excluded.has(row.port) };
  }

  #createRange({ project, kind, startPort: wanted, description }: Command & { op: 'create-range' }): Observation {
    const startPort = wanted ?? lowestBlock(this.#ranges, kind);
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
    const excludedPorts = ranges.reduce((sum, range) => sum + range.excludedPorts, 0);
    const hostnames = this.#active()
      .filter((row) => row.project === project && sameSpace(row, { host, protocol }) && row.cloudflareHostname !== null)
      .sort(byPortThenId)
      .map(({ port, service, cloudflareHostname }) => ({ port, service, cloudflareHostname }));
    return {
      status: 200,
      body: {
        ...{ project, host, protocol, rangeStart: first.startPort, rangeEnd: first.endPort },
        ...figures(totalPorts, allocatedPorts, excludedPorts),
        ranges,
        hostnames,
      },
    };
  }

  #describePort({ port, host, protocol }: Command & { op: 'port' }): Observation {
    const range = this.#ranges.find((range) => covers(range, port));
    const allocation = this.#holderOf(port, { host, protocol }) ?? null;
    const free = this.#excluded.has(port) ? 'excluded' : 'free';
    const state = range ? (allocation ? 'allocated' : free) : 'unmanaged';
    const counted = range ? this.#count(range, { host, protocol }) : null;
    return {
      status: 200,
      body: {
        port,
        host,
        protocol,
        state,
        range: counted,
        allocation: allocation && this.#tell(allocation),
        reservation: null,
        excluded: tellExcluded(this.#excluded, port),
      },
    };
  }

  #count(range: ModelRange, space: Space) {
    return count(range, space, this.#active(), this.#excluded);
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
