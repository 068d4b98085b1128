import { signal } from '@preact/signals';
import createClient from 'openapi-fetch';
import type { components, paths } from '../../generated/contract.js';

type Schemas = components['schemas'];
export type Allocation = Schemas['Allocation'];
export type AllocationDetails = Schemas['AllocationDetails'];
export type Audit = Schemas['Audit'];
export type AuditConflict = Schemas['AuditConflict'];
export type HealthCheck = Schemas['HealthCheck'];
export type Port = Schemas['Port'];
export type Problem = Schemas['Problem'];
export type Protocol = Allocation['protocol'];
export type Range = Schemas['Range'];
export type Reservation = Schemas['Reservation'];

/** One port space. */
export interface Space {
  host: string;
  protocol: Protocol;
}

/** The most that a list gives at a time. */
export const PAGE = 1000;
/** More than the service takes for any answer: what takes longer is the network. */
const TIMEOUT_MS = 20_000;
const KEY = 'port-allocator-key';

/** For this tab only: neither other tabs nor the next day find it. */
export const apiKey = signal(sessionStorage.getItem(KEY));
/** Why the service wants a key, until one is given. */
export const keyWanted = signal<string | null>(null);

export function setApiKey(key: string | null): void {
  if (key === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, key);
  apiKey.value = key;
  keyWanted.value = null;
}

/** Where the page is, the service is: also under a BASE_PATH. */
export const serviceUrl = new URL('.', document.baseURI).href.replace(/\/$/, '');

export function authorization(): Record<string, string> {
  return apiKey.value === null ? {} : { authorization: `Bearer ${apiKey.value}` };
}

export const api = createClient<paths, 'application/json' | 'application/problem+json'>({
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

/** What the service refused, in its own words. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly status: number,
    readonly problem: Problem | null,
  ) {
    super(problem?.detail ?? `The answer was ${status}, and not from the registry: ask whoever runs the proxy.`);
    if (status === 401) keyWanted.value = this.message;
  }
}

/** What was typed makes no sense, and is not sent. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** @throws Refusal, or what `fetch` throws when there is no answer */
export async function answerOf<T>(
  call: Promise<{ data?: T | undefined; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok) return data as T;
  throw new Refusal(response.status, isProblem(error) ? error : null);
}

export function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'code' in body && 'detail' in body;
}

/** For people: what happened, and what they can do. */
export function describeFailure(error: unknown): string {
  if (error instanceof Refusal || error instanceof InputError) return error.message;
  return 'The registry does not answer. Check that the service runs and that this machine reaches it.';
}

/** Every page of a list. */
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

/** One for each thing that is to happen once, however often it is tried. Plain HTTP has no `randomUUID`. */
export function makeIdempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
