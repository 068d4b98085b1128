import { signal } from '@preact/signals';
import createClient from 'openapi-fetch';
import { makeTextVisible } from '../../../src/input/visible.js';
import type { components, paths } from '../../generated/contract.js';

type Schemas = components['schemas'];
export type Allocation = Schemas['Allocation'];
export type AllocationDetails = Schemas['AllocationDetails'];
export type Audit = Schemas['Audit'];
export type AuditConflict = Schemas['AuditConflict'];
export type ExcludedPort = Schemas['ExcludedPort'];
export type HealthCheck = Schemas['HealthCheck'];
export type Listener = Schemas['Listener'];
export type Port = Schemas['Port'];
export type Problem = Schemas['Problem'];
export type Protocol = Allocation['protocol'];
export type Range = Schemas['Range'];
export type Reservation = Schemas['Reservation'];

/** A port space: one host and protocol. */
export interface Space {
  host: string;
  protocol: Protocol;
}

/** The most items that a page of a list can have. */
export const MAX_PAGE = 1000;
/** Longer than the service takes for any answer. If nothing has come by then, the network is at fault. */
const TIMEOUT_MS = 20_000;
const STORED_KEY = 'port-allocator-key';

/** Kept in the session storage: only this tab has it, and only until it is closed. */
export const apiKey = signal(sessionStorage.getItem(STORED_KEY));
/** What the service said when it refused a request for lack of a valid key. Null once the dialog about it is closed. */
export const keyRefusal = signal<string | null>(null);

export function setApiKey(key: string | null): void {
  if (key === null) sessionStorage.removeItem(STORED_KEY);
  else sessionStorage.setItem(STORED_KEY, key);
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
    fetch(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]), cache: 'no-store' }),
});
api.use({
  onRequest({ request }) {
    for (const [name, value] of Object.entries(authorization())) request.headers.set(name, value);
    return request;
  },
});

/** A refusal by the service. The message is the service's own. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly status: number,
    readonly problem: Problem | null,
  ) {
    super(problem?.detail ?? `The answer was ${status}, and not from the registry: ask whoever runs the proxy.`);
  }
}

/** Something that was typed is invalid, and is therefore not sent. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** Returns the body of a successful answer. @throws Refusal, or whatever `fetch` throws when there is no answer */
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

/** Describes an error for the person at the screen: what happened, and what to do about it. */
export function describeFailure(error: unknown): string {
  if (error instanceof Refusal || error instanceof InputError) return makeTextVisible(error.message);
  return 'The registry does not answer. Check that the service runs and that this machine reaches it.';
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
