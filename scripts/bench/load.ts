import type { EventEmitter } from 'node:events';
import autocannon from 'autocannon';
import { Client } from 'undici';

/** The times of one kind of request, in milliseconds. */
export class Times {
  readonly #times: number[] = [];
  #sorted = true;

  add(time: number): void {
    this.#times.push(time);
    this.#sorted = false;
  }

  get count(): number {
    return this.#times.length;
  }

  percentile(percent: number): number {
    if (!this.#sorted) this.#times.sort((a, b) => a - b);
    this.#sorted = true;
    return (
      this.#times[Math.min(this.#times.length - 1, Math.floor((this.#times.length * percent) / 100))] ?? Number.NaN
    );
  }
}

/**
 * Sends GETs or PUTs of the given paths in turn, over 64 connections. Each answer must contain a port.
 * @returns requests per second
 * @throws Error when an answer is wrong
 */
export async function requestAll(
  url: string,
  method: 'GET' | 'PUT',
  paths: string[],
  seconds: number,
): Promise<number> {
  let wrongBodies = 0;
  const result = await autocannon({
    url,
    connections: 64,
    duration: seconds,
    requests: paths.map((path) => ({ method, path })),
    setupClient(client) {
      // Cheaper than `verifyBody`, with which generating the load would become the bottleneck.
      (client as unknown as EventEmitter).on('body', (body: Buffer) => {
        if (!body.includes('"port":3')) wrongBodies += 1;
      });
    },
  });
  const wrong = result.non2xx + result.errors + wrongBodies;
  if (wrong > 0) throw new Error(`${wrong} of ${result.requests.total} answers were wrong`);
  return result.requests.total / result.duration;
}

export interface PairResult {
  pairsPerSecond: number;
  /** Times of a pair: an allocation and its release. */
  times: Times;
  /** Times of the allocation alone. */
  allocateTimes: Times;
  /** Pairs that ended in each second. */
  perSecond: number[];
}

/**
 * Allocates and releases in turn, each client on a connection of its own, and checks every answer.
 * @param projects assigned to the clients in turn
 * @throws Error when an answer is wrong
 */
export async function runPairs(
  url: string,
  options: { projects: string[]; clients: number; seconds: number },
): Promise<PairResult> {
  const { projects, clients, seconds } = options;
  const started = performance.now();
  const result = { times: new Times(), allocateTimes: new Times(), perSecond: [] as number[] };
  const client = async (project: string) => {
    const connection = new Client(url, { headersTimeout: 60_000, bodyTimeout: 60_000 });
    while (performance.now() - started < seconds * 1000) {
      const begun = performance.now();
      const { status, body } = await send(
        connection,
        'POST',
        `/v1/projects/${project}/allocations`,
        '{"service":"bench"}',
      );
      const allocated = performance.now();
      if (status !== 201) throw new Error(`allocate answered ${status}: ${JSON.stringify(body)}`);
      if (!Number.isInteger(body.port)) throw new Error(`allocate answered no port: ${JSON.stringify(body)}`);
      const released = await send(connection, 'DELETE', `/v1/allocations/${body.id}`);
      if (released.status !== 200 || released.body.status !== 'released') {
        throw new Error(`release answered ${released.status}: ${JSON.stringify(released.body)}`);
      }
      const ended = performance.now();
      result.times.add(ended - begun);
      result.allocateTimes.add(allocated - begun);
      const second = Math.floor((ended - started) / 1000);
      result.perSecond[second] = (result.perSecond[second] ?? 0) + 1;
    }
    await connection.close();
  };
  await Promise.all(Array.from({ length: clients }, (_, i) => client(projects[i % projects.length] as string)));
  return { ...result, pairsPerSecond: result.times.count / ((performance.now() - started) / 1000) };
}

interface Body {
  id: string;
  port: number;
  status: string;
}

/**
 * Sends one request with undici's `dispatch`, which takes a third less processor time than `request`. Time that the
 * load takes is missing for the service on the same machine.
 */
export function send(
  connection: Client,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: string,
): Promise<{ status: number; body: Body }> {
  return new Promise((resolve, reject) => {
    let status = 0;
    const chunks: Buffer[] = [];
    const request = { method, path, ...(body && { body, headers: { 'content-type': 'application/json' } }) };
    connection.dispatch(request, {
      onRequestStart() {}, // must be there: by it undici recognizes handlers of version 7
      onResponseStart(_controller, statusCode) {
        status = statusCode;
      },
      onResponseData(_controller, chunk) {
        chunks.push(chunk);
      },
      onResponseEnd: () => resolve({ status, body: JSON.parse(Buffer.concat(chunks).toString()) }),
      onResponseError: (_controller, error) => reject(error),
    });
  });
}
