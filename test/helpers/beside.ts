// A service with little memory that somebody abuses, and a caller beside him who must notice nothing.
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { createDatabase } from './database.js';
import { ADMIN, bearer, WITH_KEYS } from './keys.js';
import { type Service, startService } from './service.js';
import { until } from './until.js';

/** The heap that Node takes by itself in a container of 512 MB. */
const SMALL_HEAP = '--max-old-space-size=256';
/** Only the abuser sends from 127.0.0.1. Every address of 127.0.0.0/8 belongs to this machine (RFC 1122). */
const ADDRESS_BESIDE = '127.0.0.9';
const TIMEOUT_MS = 20_000;
const PAUSE_MS = 5;
/** How many calls each caller makes on average before their times count: two rounds. */
const FIRST_CALLS = 10;
/** What a caller beside the abuser may wait for the slowest hundredth of its answers. */
export const P99_LIMIT_MS = 1000;

/** A service over PostgreSQL with keys in force and a small heap. */
export async function startSmallService(t: Test, variables: Record<string, string> = {}): Promise<Service> {
  const database = await createDatabase(t, process.env.TEST_TEMPLATE);
  return startService(t, { DATABASE_URL: database, NODE_OPTIONS: SMALL_HEAP, ...WITH_KEYS, ...variables }).ready();
}

/** Makes a key of a running service. @returns its secret */
export async function makeProjectKey(service: Service, ...projects: string[]): Promise<string> {
  const wanted = { name: `key of ${projects}`, role: 'project', projects };
  const { status, body } = await service.call('POST', '/v1/api-keys', wanted, { headers: ADMIN });
  if (status !== 201) throw new Error(`no key: ${JSON.stringify(body)}`);
  return body.key;
}

export interface Beside {
  answered: number;
  p50: number;
  p99: number;
}

/** Callers of the project `odin`, with a key and an address of their own, at work from `start` until `stop`. */
export class CallersBeside {
  readonly #times: number[] = [];
  readonly #failures: string[] = [];
  readonly #agent = new Agent({ keepAlive: true, localAddress: ADDRESS_BESIDE });
  readonly #done: Promise<unknown>;
  #running = true;

  private constructor(url: string, key: string, callers: number) {
    this.#done = Promise.all(Array.from({ length: callers }, (_, i) => this.#work(new URL(url), key, `beside-${i}`)));
  }

  static async start(service: Service, callers = 2): Promise<CallersBeside> {
    const beside = new CallersBeside(await service.url, await makeProjectKey(service, 'odin'), callers);
    // What the first calls of a process and of its database sessions take is not what abuse makes of them.
    await until(() => beside.#times.length >= FIRST_CALLS * callers);
    beside.#times.length = 0;
    return beside;
  }

  /** Ends the work, and asserts that every request was answered as it should be and that few had to wait long. */
  async stop(t: Test): Promise<Beside> {
    this.#running = false;
    await this.#done;
    this.#agent.destroy();
    const sorted = this.#times.sort((a, b) => a - b);
    const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
    const beside = { answered: sorted.length, p50: at(0.5), p99: at(0.99) };
    t.same(this.#failures.slice(0, 5), [], 'every request of the callers beside was answered');
    t.ok(sorted.length > 0, 'there were some');
    t.ok(beside.p99 < P99_LIMIT_MS, `${JSON.stringify(beside)}: they did not wait long`);
    return beside;
  }

  async #work(url: URL, key: string, service: string): Promise<void> {
    const path = `/v1/projects/odin/services/${service}`;
    const calls: [method: string, path: string, status: number, body?: object][] = [
      ['PUT', path, 201, { description: 'x'.repeat(200) }],
      ['PUT', path, 200],
      ['GET', path, 200],
      ['GET', '/v1/allocations?project=odin&limit=10', 200],
      ['DELETE', path, 200],
    ];
    while (this.#running) {
      for (const [method, path, status, body] of calls) {
        const began = performance.now();
        const answer = await this.#ask(url, method, path, key, body).catch((error: Error) => error);
        this.#times.push(performance.now() - began);
        if (answer instanceof Error) this.#failures.push(`${method} ${path}: ${answer.message}`);
        else if (answer.status !== status) this.#failures.push(`${method} ${path}: ${answer.status} ${answer.text}`);
        await sleep(PAUSE_MS);
      }
    }
  }

  #ask(url: URL, method: string, path: string, key: string, body?: object): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers = { ...bearer(key), ...(body && { 'content-type': 'application/json' }) };
      const options = { method, path, headers, agent: this.#agent, timeout: TIMEOUT_MS };
      const asked = request(url, options, (response) => {
        text(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
      });
      asked.on('error', reject).on('timeout', () => asked.destroy(new Error('no answer in time')));
      asked.end(body && JSON.stringify(body));
    });
  }
}
