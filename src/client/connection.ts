import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { readRefusal, readWhole } from './answers.js';
import { ClientFailure } from './failure.js';
import { LocalService, type Place } from './local-service.js';
import { honoursIdempotencyKey, isRepeatable } from './repeatable.js';
import { type Request, sendOnce } from './request.js';
import type { Settings } from './settings.js';
import { unreachable } from './unreachable.js';

export interface Call {
  method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** Begins with `/v1`, with encoded parameters. */
  path: string;
  query?: Record<string, string | number | boolean | null | undefined>;
  /** Sent as JSON; a string is sent as `text/plain`, unless `headers` has another type. */
  body?: object | string;
  /** With names in lower case. */
  headers?: Record<string, string>;
  /** Aborts the call, which then throws the signal's reason. */
  signal?: AbortSignal;
  /** Whether the answer may take any time, such as that of an audit. */
  takesAnyTime?: boolean;
  /** Called with what the service says where it cannot serve the call now, before the call is sent again. */
  onBusy?: (refusal: ClientFailure) => void;
}

/** A way to the service that has the registry. */
export interface Connection {
  /**
   * Sends a call and reads its whole answer.
   * @returns the value of an answer in JSON, or the text of another one
   * @throws ClientFailure refused, with the problem document; unreachable
   */
  send<T>(call: Call): Promise<T>;
  /** Sends a call whose answer is read as it comes. The status has been checked. @throws the same */
  open(call: Call): Promise<IncomingMessage>;
  /**
   * Sends a call and lets `read` read the answer, of whatever status. If the connection breaks meanwhile and the call may
   * be repeated, it is, and `read` gets the next answer.
   * @throws ClientFailure unreachable
   */
  exchange<T>(call: Call, read: (answer: IncomingMessage) => Promise<T>): Promise<T>;
  /** Where the service is, for a message to the user. */
  readonly place: string;
}

export interface ConnectOptions {
  /** Called with a sentence for the user where the service needs time, for example because it has to be started. */
  onWait?: (message: string) => void;
  /** How long nothing may come of an answer, in milliseconds. */
  silenceMs?: number;
}

/** How long nothing may come of an answer. The service itself ends a request after 30 s, unless it is told otherwise. */
const SILENCE_MS = 120_000;
/** How long a call is sent again to a service that says that it cannot serve it now (503), or that starts again. */
const PATIENCE_MS = 15_000;
/** How often a call is sent to services that end before they answer. It could be what makes them end. */
const MOST_LOST = 10;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

/** Nothing is sent before the first call. */
export function connect(
  settings: Settings,
  { onWait = () => {}, silenceMs = SILENCE_MS }: ConnectOptions = {},
): Connection {
  const service = settings.url === null ? new LocalService(settings.dataDir, onWait) : null;
  const place = settings.url ?? settings.dataDir;
  const checked = async (answer: IncomingMessage) => {
    const refusal = await readRefusal(place, answer);
    if (refusal !== null) throw refusal;
    return answer;
  };
  const deliver = <T>(call: Call, callSilenceMs: number | null, read: (answer: IncomingMessage) => Promise<T>) => {
    const { onBusy } = call;
    const dropBusy = async (answer: IncomingMessage) => {
      const refusal = onBusy ? await readRefusal(place, answer) : null;
      if (refusal?.problem) onBusy?.(refusal);
      answer.destroy();
    };
    const request = toRequest(settings, call, callSilenceMs);
    return new Delivery(service ?? (settings.url as string), request, onWait, dropBusy).send(read);
  };
  return {
    place,
    open: (call) => deliver(call, null, checked),
    exchange: (call, read) => deliver(call, call.takesAnyTime ? null : silenceMs, read),
    send: <T>(call: Call) => deliver(call, silenceMs, async (answer) => (await readWhole(await checked(answer))) as T),
  };
}

function toRequest({ apiKey }: Settings, call: Call, silenceMs: number | null): Request {
  const { method, path, query = {}, body, signal } = call;
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value != null) search.set(name, String(value));
  const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  return {
    method,
    path: search.size > 0 ? `${path}?${search}` : path,
    headers: {
      accept: 'application/json',
      'user-agent': 'port-allocator', // events say that this is what a change was made with
      ...(content !== undefined && {
        'content-type': typeof body === 'string' ? 'text/plain' : 'application/json',
        'content-length': String(Buffer.byteLength(content)),
      }),
      ...(apiKey !== null && { authorization: `Bearer ${apiKey}` }),
      ...(honoursIdempotencyKey(method, path) && { 'idempotency-key': crypto.randomUUID() }),
      ...call.headers,
    },
    body: content,
    silenceMs: path === '/v1/audits' ? null : silenceMs,
    signal,
  };
}

const withoutQuery = ({ path }: Request): string => path.split('?', 1)[0] as string;

/** One request on its way, until it is answered or given up. */
class Delivery {
  readonly #isRepeatable: boolean;
  #pauseMs = FIRST_PAUSE_MS;
  /** How many tries got no answer, although they may have been executed. */
  #lost = 0;
  /** When a service could not serve this for the first time. */
  #troubleSince: number | null = null;

  constructor(
    private readonly service: LocalService | string,
    private request: Request,
    private readonly onWait: (message: string) => void,
    /** Ends an answer after which the request is sent again. */
    private readonly dropBusy: (answer: IncomingMessage) => Promise<void>,
  ) {
    this.#isRepeatable = isRepeatable(request.method, withoutQuery(request));
  }

  /** Sends the request as often as need be and allowed. @throws ClientFailure */
  async send<T>(read: (answer: IncomingMessage) => Promise<T>): Promise<T> {
    const { service } = this;
    for (;;) {
      const target = typeof service === 'string' ? { url: service } : await service.find(this.request.signal);
      const sent = await sendOnce(target, this.request);
      if (sent.outcome === 'not-sent') {
        await this.#notSent(target, sent.error);
        continue;
      }
      if (typeof service !== 'string') service.noteSuccess();
      if (sent.outcome === 'no-answer') {
        await this.#lose(sent.error);
        continue;
      }
      const { answer } = sent;
      if (await this.#isToTryAgain(answer)) continue;
      try {
        return await read(answer);
      } catch (error) {
        this.request.signal?.throwIfAborted();
        if ((error as NodeJS.ErrnoException).code === undefined) throw error; // a refusal, and no broken connection
        await this.#lose(error as NodeJS.ErrnoException);
      }
    }
  }

  async #notSent(target: { url: string } | Place, error: NodeJS.ErrnoException): Promise<void> {
    if (!('url' in target)) {
      (this.service as LocalService).noteFailure(target);
      return; // `find` waits for the next service, and says if there is none
    }
    // A service that was there a moment ago may be starting again.
    if (this.#lost === 0) throw unreachable(target.url, error);
    if (this.#isOver()) throw unknownOutcome(error, this.request);
    await this.#pause(this.#pauseMs);
  }

  async #lose(error: NodeJS.ErrnoException): Promise<void> {
    this.#lost += 1;
    // After silence there was patience enough.
    if (!this.#isRepeatable || this.#lost >= MOST_LOST || error.code === 'ETIMEDOUT') {
      throw unknownOutcome(error, this.request);
    }
    if (withoutQuery(this.request) === '/mcp') {
      this.request = { ...this.request, headers: { ...this.request.headers, repeated: 'true' } };
    }
    await this.#pause(this.#pauseMs);
  }

  /** Waits if the service says that it cannot serve this now, and that trying again makes sense. */
  async #isToTryAgain(answer: IncomingMessage): Promise<boolean> {
    const { statusCode, headers } = answer;
    const seconds = Number(headers['retry-after']);
    const isOurs = headers['content-type']?.startsWith('application/problem+json') === true;
    if (statusCode !== 503 || !isOurs || !(seconds >= 0) || !this.#isRepeatable || this.#isOver()) return false;
    await this.dropBusy(answer);
    if (this.#pauseMs === FIRST_PAUSE_MS) this.onWait('The service cannot serve this now; trying again…');
    await this.#pause(Math.min(seconds * 1000, LONGEST_PAUSE_MS));
    return true;
  }

  #isOver(): boolean {
    this.#troubleSince ??= Date.now();
    return Date.now() - this.#troubleSince >= PATIENCE_MS;
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.request;
    await sleep(ms, undefined, signal && { signal }).catch(() => signal?.throwIfAborted());
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }
}

function unknownOutcome(error: NodeJS.ErrnoException, { method }: Request): ClientFailure {
  const what =
    error.code === 'ETIMEDOUT' ? `The service gave ${error.message}` : 'The service ended before it had answered';
  return method === 'GET'
    ? new ClientFailure('unreachable', `${what}.`, 'Try again, and look into the log of the service.', null, {
        cause: error,
      })
    : new ClientFailure(
        'unreachable',
        `${what}, and whether it did what was asked is not known.`,
        'Look with port-allocator ls before you repeat it.',
        null,
        { cause: error },
      );
}
