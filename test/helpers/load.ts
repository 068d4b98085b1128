import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from './service.js';

/** One of this many allocations is kept. The others are released at once, so that ports get new holders under load. */
const KEPT_ONE_IN = 5;

interface Acknowledged {
  id: string;
  port: number;
  /** `in doubt`: its release was sent, and no answer came. */
  state: 'held' | 'released' | 'in doubt';
}

/** Callers that allocate and release until `stop()`. Each call has a time limit. */
export class Load {
  /** Every allocation that was acknowledged to a caller, by id. */
  readonly acknowledged = new Map<string, Acknowledged>();
  /** How often each status or refusal code came. `broken` is a lost connection, `hung` is no answer in time. */
  readonly outcomes = new Map<string, number>();
  slowestMs = 0;
  readonly #service: () => Pick<Service, 'call'>;
  readonly #done: Promise<unknown>;
  #running = true;

  /** @param service called before each request, because restarting a service makes a new one */
  constructor(service: () => Pick<Service, 'call'>, options: { project: string; callers: number; timeoutMs?: number }) {
    this.#service = service;
    const { project, callers, timeoutMs = 30_000 } = options;
    this.#done = Promise.all(Array.from({ length: callers }, (_, name) => this.#call(project, `s${name}`, timeoutMs)));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  count(outcome: string): number {
    return this.outcomes.get(outcome) ?? 0;
  }

  async #call(project: string, name: string, timeoutMs: number): Promise<void> {
    for (let i = 0; this.#running; i++) {
      const answer = await this.#ask('POST', `/v1/projects/${project}/allocations`, timeoutMs, {
        service: `${name}-${i}`,
      });
      if (answer?.status !== 201) {
        await sleep(20);
        continue;
      }
      const { id, port } = answer.body;
      const allocation: Acknowledged = { id, port, state: 'held' };
      this.acknowledged.set(id, allocation);
      if (i % KEPT_ONE_IN === 0) continue;
      allocation.state = 'in doubt';
      if ((await this.#ask('DELETE', `/v1/allocations/${id}`, timeoutMs))?.status === 200)
        allocation.state = 'released';
    }
  }

  async #ask(method: string, path: string, timeoutMs: number, body?: object) {
    const began = Date.now();
    let outcome: string;
    try {
      const answer = await this.#service().call(method, path, body, { timeoutMs });
      outcome = answer.body.code ?? String(answer.status);
      if (answer.status === 503 && !/^\d+$/.test(answer.headers.get('retry-after') ?? ''))
        outcome += ' without Retry-After';
      return answer;
    } catch (error) {
      outcome = (error as Error).name === 'TimeoutError' ? 'hung' : 'broken';
      return null;
    } finally {
      // biome-ignore lint/style/noNonNullAssertion: every path above assigns it
      this.outcomes.set(outcome!, this.count(outcome!) + 1);
      this.slowestMs = Math.max(this.slowestMs, Date.now() - began);
    }
  }

  /** Compares the registry with what was acknowledged. Returns a sentence for each promise that was not kept. */
  async findBrokenPromises(service: Pick<Service, 'call'>): Promise<string[]> {
    const rows = new Map<string, { id: string; port: number; status: string; host: string; protocol: string }>();
    let path: string | null = '/v1/allocations?status=any&limit=1000';
    while (path !== null) {
      const {
        body,
      }: { body: { items: typeof rows extends Map<string, infer Row> ? Row[] : never; nextCursor: string | null } } =
        await service.call('GET', path);
      for (const row of body.items) rows.set(row.id, row);
      path = body.nextCursor && `/v1/allocations?status=any&limit=1000&cursor=${body.nextCursor}`;
    }
    const broken: string[] = [];
    for (const { id, port, state } of this.acknowledged.values()) {
      const row = rows.get(id);
      if (!row) broken.push(`allocation ${id} of port ${port} was acknowledged and is gone`);
      else if (row.port !== port) broken.push(`allocation ${id} has port ${row.port} and not ${port}`);
      else if (state === 'held' && row.status === 'released') broken.push(`port ${port} was held and is released`);
      else if (state === 'released' && row.status !== 'released') broken.push(`port ${port} was released and is held`);
    }
    const holders = new Map<string, string>();
    for (const { id, status, host, protocol, port } of rows.values()) {
      if (status === 'released') continue;
      const place = `${host}/${protocol} ${port}`;
      if (holders.has(place)) broken.push(`${place} is held by ${id} and by ${holders.get(place)}`);
      holders.set(place, id);
    }
    return broken;
  }
}
