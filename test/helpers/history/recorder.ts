import type { Answer, Operation, PortSpace, Question, Row } from './operations.js';

interface Reply {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds depends on its status and path
  body: any;
  headers: Headers;
}
interface Request {
  method: string;
  path: string;
  body?: object;
  headers?: Record<string, string>;
}

/** Sends requests to the service, and records each with its times and its answer. */
export class Recorder {
  readonly history: Operation[] = [];
  /** How often each kind of answer came. Unknown outcomes are counted by their cause, and refusals by their code. */
  readonly outcomes = new Map<string, number>();
  /** When each successful call was answered and how long it took, in ms of `performance.now()`. */
  readonly answered: { at: number; ms: number }[] = [];
  readonly #url: () => string;
  readonly #timeoutMs: number;

  /** @param url called before each request, so that the callers can be moved to another instance */
  constructor(url: () => string, timeoutMs: number) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
  }

  async ask(caller: string, space: PortSpace, asked: Question): Promise<Answer> {
    const start = performance.now();
    const answer: Answer = await this.#send(toRequest(space, asked)).then(
      (reply) => toAnswer(asked, reply),
      (error: Error) => ({ kind: 'unknown', why: causeOf(error) }),
    );
    const end = performance.now();
    this.history.push({ caller, space, asked, start, end, answer });
    const outcome =
      answer.kind === 'unknown'
        ? `unknown: ${answer.why}`
        : answer.kind === 'refused'
          ? `refused: ${answer.code}`
          : answer.kind;
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    if (answer.kind !== 'unknown' && answer.kind !== 'refused') this.answered.push({ at: end, ms: end - start });
    return answer;
  }

  /** Reads every allocation that was ever made in a space, and records that as the last operation of its history. */
  async list(space: PortSpace): Promise<void> {
    const start = performance.now();
    const rows: Row[] = [];
    const query = new URLSearchParams({ ...space, status: 'any', limit: '1000' });
    for (let cursor: string | null = ''; cursor !== null; ) {
      if (cursor) query.set('cursor', cursor);
      const { status, body } = await this.#send({ method: 'GET', path: `/v1/allocations?${query}` });
      if (status !== 200) throw new Error(`the list was answered with ${status}: ${JSON.stringify(body)}`);
      for (const { id, port, service, environment, status } of body.items) {
        rows.push({ id, port, holder: `${service}@${environment}`, released: status === 'released' });
      }
      cursor = body.nextCursor;
    }
    const end = performance.now();
    this.history.push({ caller: 'last', space, asked: { op: 'list' }, start, end, answer: { kind: 'rows', rows } });
  }

  async #send({ method, path, body, headers = {} }: Request): Promise<Reply> {
    const response = await fetch(this.#url() + path, {
      method,
      headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(this.#timeoutMs),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
  }
}

function toRequest({ project, host, protocol }: PortSpace, asked: Question): Request {
  const service = (holder: string) => {
    const [name, environment] = holder.split('@') as [string, string];
    return `/v1/projects/${project}/services/${name}?${new URLSearchParams({ environment, host, protocol })}`;
  };
  switch (asked.op) {
    case 'get-or-allocate':
      return { method: 'PUT', path: service(asked.holder) };
    case 'look-up':
      return { method: 'GET', path: service(asked.holder) };
    case 'release-holder':
      return { method: 'DELETE', path: service(asked.holder) };
    case 'release':
      return { method: 'DELETE', path: `/v1/allocations/${asked.id}` };
    case 'allocate': {
      const [name, environment] = asked.holder.split('@');
      return {
        method: 'POST',
        path: `/v1/projects/${project}/allocations`,
        body: { service: name, environment, host, protocol, ...(asked.prefer && { prefer: asked.prefer }) },
        headers: asked.idempotencyKey === null ? {} : { 'idempotency-key': asked.idempotencyKey },
      };
    }
    case 'exclude':
      return { method: 'PUT', path: `/v1/excluded-ports/${asked.port}`, body: { reason: 'A test wants it so.' } };
    case 'include':
      return { method: 'DELETE', path: `/v1/excluded-ports/${asked.port}` };
    case 'list':
      throw new Error('a list has pages: it is asked by list()');
  }
}

function toAnswer({ op }: Question, { status, body, headers }: Reply): Answer {
  const { id, port, code } = body;
  if (op === 'exclude' && (status === 200 || status === 201)) return { kind: status === 201 ? 'done' : 'none' };
  if (op === 'include' && status === 204) return { kind: 'done' };
  if (op === 'include' && code === 'excluded-port-not-found') return { kind: 'none' };
  if (status === 201) return { kind: headers.has('idempotent-replayed') ? 'replayed' : 'created', id, port };
  if (status === 200 && op === 'release') return { kind: 'released', id, port };
  if (status === 200 && op === 'release-holder') {
    return { kind: 'released-all', places: body.items.map((item: { id: string; port: number }) => item) };
  }
  if (status === 200) return { kind: 'existing', id, port };
  if (status === 404 && op === 'look-up' && code === 'allocation-not-found') return { kind: 'none' };
  if (status === 409 && code === 'range-exhausted') return { kind: 'exhausted' };
  if (status === 503 && code && !/^\d+$/.test(headers.get('retry-after') ?? '')) {
    return { kind: 'wrong', what: `${code} without Retry-After` };
  }
  if (status === 503 && /Nothing was changed/.test(body.detail)) return { kind: 'refused', code };
  if (status === 503 && code) return { kind: 'unknown', why: code };
  // Answers of a proxy, which may have lost the answer of the service.
  if ([502, 503, 504].includes(status)) return { kind: 'unknown', why: `${status} of the proxy` };
  return { kind: 'wrong', what: `${status} ${typeof body === 'string' ? body.slice(0, 200) : JSON.stringify(body)}` };
}

function causeOf(error: Error): string {
  if (error.name === 'TimeoutError') return 'no answer in time';
  return (error.cause as { code?: string } | undefined)?.code ?? error.message;
}
