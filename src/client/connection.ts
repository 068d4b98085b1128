import { once } from 'node:events';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import { readHolder } from '../embedded/holder.js';
import { ClientFailure, type Problem } from './failure.js';
import type { Settings } from './settings.js';

export interface Call {
  method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** Begins with `/v1`, with encoded parameters. */
  path: string;
  query?: Record<string, string | number | boolean | null | undefined>;
  /** Sent as JSON; a string is sent as `text/plain`. */
  body?: object | string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
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
  /** Where the service is, for a message to the user. */
  readonly place: string;
}

/** Nothing is sent before the first call. */
export function connect(settings: Settings): Connection {
  const open = async (call: Call) => {
    const answer = await sendOnce(settings, call);
    if ((answer.statusCode as number) >= 400) throw toFailure(answer.statusCode as number, await text(answer));
    return answer;
  };
  return {
    place: settings.url ?? settings.dataDir,
    open,
    async send<T>(call: Call): Promise<T> {
      const answer = await open(call);
      const content = await text(answer);
      const isJson = answer.headers['content-type']?.includes('json');
      return (isJson ? JSON.parse(content) : content) as T;
    },
  };
}

// SKETCH: helper G replaces this by: start the service where none runs, repeat what may be repeated, checks of the socket.
async function sendOnce(settings: Settings, call: Call): Promise<IncomingMessage> {
  const { method, path, query = {}, body, signal } = call;
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value != null) search.set(name, String(value));
  const target = `${path}${search.size > 0 ? `?${search}` : ''}`;
  const headers: Record<string, string> = { accept: 'application/json', ...call.headers };
  if (body !== undefined) headers['content-type'] = typeof body === 'string' ? 'text/plain' : 'application/json';
  if (settings.apiKey !== null) headers.authorization = `Bearer ${settings.apiKey}`;
  const options = { method, headers, ...(signal && { signal }) };
  const sent =
    settings.url === null
      ? requestHttp({ ...options, ...(await findSocket(settings.dataDir)), path: target, host: 'localhost' })
      : (settings.url.startsWith('https:') ? requestHttps : requestHttp)(settings.url + target, options);
  sent.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
  try {
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return answer;
  } catch (error) {
    throw new ClientFailure('unreachable', (error as Error).message, 'Start the service: port-allocator serve.');
  }
}

async function findSocket(dataDir: string): Promise<{ socketPath: string }> {
  const holder = (await readHolder(dataDir)) as { path?: string; endpoint?: { path: string } } | null;
  const path = holder?.path ?? holder?.endpoint?.path;
  if (path !== undefined) return { socketPath: path };
  throw new ClientFailure('unreachable', `No service runs on ${dataDir}.`, 'Start one: port-allocator serve.');
}

function toFailure(status: number, content: string): ClientFailure {
  let problem: Problem;
  try {
    problem = JSON.parse(content);
  } catch {
    problem = { status, code: 'internal-error', detail: content.slice(0, 500) };
  }
  return new ClientFailure('refused', problem.detail, '', problem);
}
