import { signal } from '@preact/signals';
import createClient from 'openapi-fetch';
import { makeTextVisible } from '../../../src/input/visible.js';
import type { components, paths } from '../../generated/contract.js';
import { readStored, store } from '../storage.js';
import { wordRefusal } from './refusals.js';

type Schemas = components['schemas'];
export type Allocation = Schemas['Allocation'];
export type AllocationDetails = Schemas['AllocationDetails'];
export type ApiKey = Schemas['ApiKey'];
export type Audit = Schemas['Audit'];
export type AuditConflict = Schemas['AuditConflict'];
export type Caller = Schemas['Caller'];
export type Environment = Schemas['Environment'];
export type ExcludedPort = Schemas['ExcludedPort'];
export type FeedEvent = Schemas['Event'];
export type HealthCheck = Schemas['HealthCheck'];
/** An allocation without its metadata, which events do not have. */
export type Held = Schemas['AllocationOutline'];
export type Listener = Schemas['Listener'];
export type ListeningPort = Schemas['ListeningPort'];
export type Port = Schemas['Port'];
export type Problem = Schemas['Problem'];
export type Protocol = Allocation['protocol'];
export type Range = Schemas['Range'];
export type Reservation = Schemas['Reservation'];
export type Webhook = Schemas['Webhook'];

/** The most items that a page of a list can have. */
export const MAX_PAGE = 1000;
/** Longer than the service takes for any answer. If nothing has come by then, the network is at fault. */
const TIMEOUT_MS = 20_000;
const STORED_KEY = 'port-allocator-key';

/** Kept in the session storage: only this tab has it, and only until it is closed. */
export const apiKey = signal(readStored('sessionStorage', STORED_KEY));
/** What the service said when it refused a request for lack of a valid key. Null once the dialog about it is closed. */
export const keyRefusal = signal<string | null>(null);

export function setApiKey(key: string | null): void {
  store('sessionStorage', STORED_KEY, key);
  apiKey.value = key;
  keyRefusal.value = null;
}

/** The service has the same URL as the page that it served, also under a BASE_PATH. */
export const serviceUrl = new URL('.', document.baseURI).href.replace(/\/$/, '');

export function authorization(): Record<string, string> {
  return apiKey.value === null ? {} : { authorization: `Bearer ${apiKey.value}` };
}

export const api = createClient<paths>({
  baseUrl: serviceUrl,
  fetch: (request) =>
    orNoAnswer(fetchWhole(request, AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]))),
});
api.use({
  onRequest({ request }) {
    for (const [name, value] of Object.entries(authorization())) request.headers.set(name, value);
    return request;
  },
});

/** The service was not reached, or its answer broke off. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** For what goes over the network. Whatever fails there is no mistake of this page, unlike other errors. */
export async function orNoAnswer<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    throw new NoAnswer('There is no answer', { cause });
  }
}

/** For a call that may take longer than any other, to which the service sets no limit. */
export const UNLIMITED = { fetch: (request: Request) => orNoAnswer(fetchWhole(request, request.signal)) };

/** Fetches an answer with all of its body, so that a connection which is lost meanwhile is noticed here. */
async function fetchWhole(request: Request, signal: AbortSignal): Promise<Response> {
  const answer = await fetch(request, { signal, cache: 'no-store' });
  const body = await answer.arrayBuffer();
  const isOfKey = request.headers.get('authorization') === (authorization().authorization ?? null);
  if (!isOfKey) throw new Error('The key was forgotten meanwhile, and with it whatever it lets see');
  // An answer such as 204 may be given no body at all, not even an empty one.
  return new Response(body.byteLength === 0 ? null : body, answer);
}

/** A refusal by the service. The message is for people, see refusals.ts. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly status: number,
    readonly problem: Problem | null,
  ) {
    super(
      problem === null
        ? `The answer was ${status}, and not from the registry: ask whoever runs the proxy.`
        : wordRefusal(problem),
    );
  }
}

/** Something that was typed is invalid, and is therefore not sent. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** Returns the body of a successful answer. @throws Refusal, or NoAnswer */
export async function answerOf<T>(
  call: Promise<{ data?: T | undefined; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok) return data as T;
  throw receiveRefusal(response.status, error);
}

/** Makes a `Refusal` of an answer. If the key was missing or wrong, also opens the dialog that asks for one. */
export function receiveRefusal(status: number, body: unknown): Refusal {
  const refusal = new Refusal(status, isProblem(body) ? body : null);
  if (status === 401) keyRefusal.value = refusal.message;
  return refusal;
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'code' in body && 'detail' in body;
}

/** What the console has of the mistakes of this page. */
const reported = new WeakSet<object>();

/**
 * Describes an error for the person at the screen: what happened, and what to do about it. One that nobody has foreseen
 * is a mistake of this page: it is also reported in the console, with where it was made, once, however often it is
 * shown.
 */
export function describeFailure(error: unknown): string {
  if (error instanceof Refusal || error instanceof InputError) return makeTextVisible(error.message);
  if (error instanceof NoAnswer) {
    return 'The registry does not answer. Check that the service runs and that this machine reaches it.';
  }
  const thrown = Object(error);
  if (!reported.has(thrown)) reportError(error);
  reported.add(thrown);
  return 'This page has failed. Load it again.';
}

/** Reads all pages of a list. */
export async function listAll<T>(
  page: (cursor: { cursor?: string }) => Promise<{ items: T[]; nextCursor: string | null }>,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const answer: { items: T[]; nextCursor: string | null } = await page(cursor === null ? {} : { cursor });
    items.push(...answer.items);
    cursor = answer.nextCursor;
  } while (cursor !== null);
  return items;
}

/** Makes a random key. `crypto.randomUUID` would do, but browsers have it only over HTTPS and on localhost. */
export function makeIdempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
