import type { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeVisible } from '../../input/visible.js';
import { readRefusal } from '../answers.js';
import type { Connection } from '../connection.js';
import { ClientFailure } from '../failure.js';
import type { Settings } from '../settings.js';
import { notPortAllocator } from '../unreachable.js';
import { Cancelling } from './cancelling.js';
import { readEvents } from './events.js';
import { Folders } from './folders.js';
import { readLines } from './lines.js';
import {
  clientOf,
  errorLine,
  headersOf,
  isCurrent,
  isMessage,
  type Message,
  notJson,
  parseMessage,
  toLine,
  toolRefusal,
} from './messages.js';
import { Output } from './output.js';
import { Questions } from './questions.js';
import { announceListChanges, answerInTrouble, DO_NOT_CHOOSE, isFirstQuestion, toolsChanged } from './trouble.js';

/** The service takes messages of 1 MiB. A longer line is still passed on, so that the service itself refuses it. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;
/** As many requests are read from stdin and not answered yet. Beyond that, stdin is not read. */
const MAX_UNDER_WAY = 256;
/** How long requests may still be answered after stdin has ended. Long enough to start a service. */
const LAST_ANSWERS_MS = 60_000;
/**
 * How long the service may take to answer a client's first questions. Some clients give a server up after 10 s. The
 * service itself may need longer: while a backup is made, or for a first start on a busy machine.
 */
const FIRST_ANSWER_MS = 8000;

export interface BridgeOptions {
  /** Which tools agents see, `core` or `all`; as the service says if this is left out. */
  tools?: string | undefined;
  /** Called with what is wrong, and what to do, where the service cannot be used. */
  onTrouble?: (text: string) => void;
}

/**
 * Connects an MCP client that speaks over stdio to the service: a line that comes in is sent to `/mcp`, and each message
 * of the answer becomes a line. All of it is stateless but for two things that go along with each later message over HTTP:
 * the revision of the protocol that `initialize` has agreed on, and what the client calls itself.
 */
export class Bridge {
  readonly #output: Output;
  #protocolVersion: string | null = null;
  /** What the client calls itself. Events tell who has made a change. */
  #client: string | null = null;
  readonly #folders: Folders;
  readonly #questions: Questions;
  readonly #underWay = new Set<Promise<void>>();
  readonly #cancelling = new Cancelling();
  /** Whether the client has been given the list of tools for a service that cannot be used. */
  #isListIncomplete = false;

  constructor(
    private readonly connection: Connection,
    output: Writable,
    settings: Pick<Settings, 'project' | 'environment'>,
    private readonly options: BridgeOptions = {},
  ) {
    this.#output = new Output(output);
    this.#questions = new Questions(this.#output);
    this.#folders = new Folders(settings, (method) => this.#questions.ask(method));
  }

  /** Passes messages on until the input ends, and all of them have been answered or LAST_ANSWERS_MS have passed. */
  async run(input: Readable): Promise<void> {
    for await (const line of readLines(input, MAX_LINE_BYTES)) {
      if (line === null)
        await this.#output.write(errorLine(null, `The message is longer than ${MAX_LINE_BYTES} bytes.`));
      else if (line.trim() !== '') await this.#take(line);
      // A client that does not read its answers gets no more of them.
      await this.#output.ready();
      while (this.#underWay.size >= MAX_UNDER_WAY) await Promise.race(this.#underWay);
    }
    this.#questions.end();
    await Promise.race([this.#finish(), sleep(LAST_ANSWERS_MS, undefined, { ref: false })]);
  }

  async #finish(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.race(this.#underWay);
    await this.#output.flushed();
  }

  async #take(line: string): Promise<void> {
    const message = parseMessage(line);
    if (message === null) return this.#output.write(notJson());
    if (message.method === undefined && ('result' in message || 'error' in message)) {
      return this.#questions.take(message);
    }
    this.#folders.note(message);
    this.#client = clientOf(message) ?? this.#client;
    // Over HTTP, a request is cancelled by closing its connection.
    if (message.method === 'notifications/cancelled') return this.#cancelling.cancel(message.params?.requestId);
    const passing = this.#pass(line, message).finally(() => this.#underWay.delete(passing));
    this.#underWay.add(passing);
  }

  /** Never rejects. */
  async #pass(line: string, message: Message): Promise<void> {
    const { id } = message;
    const cancelling = new AbortController();
    const { signal } = cancelling;
    const forget = this.#cancelling.remember(id, cancelling);
    let busy: ClientFailure | null = null;
    const giveUp = () => cancelling.abort(busy ?? notInTime());
    const patience = isFirstQuestion(message) ? setTimeout(giveUp, FIRST_ANSWER_MS) : undefined;
    try {
      const call = {
        method: 'POST' as const,
        path: '/mcp',
        query: { tools: this.options.tools },
        body: line,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...(this.#client !== null && { 'user-agent': this.#client }),
          ...headersOf(message, this.#protocolVersion),
          ...(await this.#folders.headersOf(message)),
        },
        signal,
        takesAnyTime: message.params?.name === 'audit-ports',
        onBusy: (refusal: ClientFailure) => {
          busy = refusal;
        },
      };
      await this.connection.exchange(call, (answer) => this.#passBack(message, answer));
      const isToldOfTools = !this.#isListIncomplete || message.method === 'tools/list';
      this.#isListIncomplete = false;
      if (!isToldOfTools) await this.#output.write(toolsChanged());
    } catch (error) {
      const isCancelled = signal.aborted && !(error instanceof ClientFailure);
      if (isCancelled || id === undefined) return; // nobody waits for an answer
      await this.#tell(error, message);
    } finally {
      clearTimeout(patience);
      forget();
    }
  }

  /** Writes what the service answers. @throws ClientFailure if that is no answer to the message */
  async #passBack(message: Message, answer: IncomingMessage): Promise<void> {
    const { method, id } = message;
    const type = answer.headers['content-type'] ?? '';
    const isRefused = (answer.statusCode as number) >= 300;
    if (!isRefused && type.startsWith('text/event-stream')) {
      return this.#passEventsBack(message, answer);
    }
    // A refusal as a message of the protocol is `application/json`, and one by HTTP `application/problem+json`.
    if (type.startsWith('application/json')) {
      const content = await text(answer);
      if (!isMessage(content)) throw notPortAllocator(this.connection.place, answer);
      return this.#write(method, toLine(content, isRefused ? id : undefined));
    }
    const refusal = await readRefusal(this.connection.place, answer);
    if (refusal !== null) throw refusal;
    answer.resume();
    // A notification is answered by 202 without a body.
    if (id !== undefined) throw notPortAllocator(this.connection.place, answer);
  }

  async #passEventsBack({ method, id }: Message, answer: IncomingMessage): Promise<void> {
    let isAnswered = id === undefined;
    for await (const data of readEvents(answer)) {
      if (data === '') continue; // the protocol lets a server begin with such an event
      const event = parseMessage(data);
      if (event?.jsonrpc !== '2.0') break;
      if (event.method === undefined) isAnswered = true;
      await this.#write(method, toLine(data));
    }
    if (!isAnswered) throw notPortAllocator(this.connection.place, answer);
  }

  /** Answers a request that the service has not answered. */
  async #tell(error: unknown, message: Message): Promise<void> {
    const { id, method } = message;
    const isKnown = error instanceof ClientFailure;
    const told = isKnown ? error.text : `The answer cannot be read: ${(error as Error).message}`;
    // It may quote a path or a file of somebody else, which must not add lines or hide characters.
    const text = makeVisible(told.replaceAll('\n', ' '));
    const problem = isKnown ? error.problem : null;
    if (method === 'tools/call') {
      const isUnreachable = isKnown && error.kind === 'unreachable';
      const refusal = `${problem ? `${problem.code}: ` : ''}${text}${isUnreachable ? ` ${DO_NOT_CHOOSE}` : ''}`;
      return this.#output.write(toolRefusal(id, refusal, isCurrent(message)));
    }
    if (isKnown && isFirstQuestion(message)) {
      this.options.onTrouble?.(text);
      // By later revisions a client learns of changes in another way, and lists the tools again when it likes.
      if (method === 'tools/list' && !isCurrent(message)) this.#isListIncomplete = true;
      return this.#write(method, answerInTrouble(message, text));
    }
    const data = problem && { code: problem.code, status: problem.status, requestId: problem.requestId };
    await this.#output.write(errorLine(id, text, data ?? undefined));
  }

  async #write(method: string | undefined, line: string): Promise<void> {
    if (method !== 'initialize') return this.#output.write(line);
    const answer = JSON.parse(line);
    this.#protocolVersion = answer.result?.protocolVersion ?? this.#protocolVersion;
    await this.#output.write(announceListChanges(answer));
  }
}

const notInTime = () =>
  new ClientFailure(
    'unreachable',
    `The service has not answered within ${FIRST_ANSWER_MS / 1000} s.`,
    'It may still be starting: try again in a moment.',
  );
