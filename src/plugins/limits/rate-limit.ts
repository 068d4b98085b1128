import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';
import { AppError } from '../../errors.js';

const MINUTE_MS = 60_000;
/** How many keys and addresses are counted at a time. Beyond that, the one whose minute began first is forgotten. */
const MAX_MINUTES = 10_000;

/** The requests of one key or address in one minute. */
interface Minute {
  requests: number;
  /** In the time of `performance.now()`. */
  endsAt: number;
}

/**
 * Limits how many requests a minute this replica answers for each key, and for each address that sends no valid key.
 * All IPv6 addresses of a /64 count as one.
 *
 * Why not @fastify/rate-limit: it counts in an object shared by all requests, and reads the count one turn of the event
 * loop later. If requests arrive together and the last of them exceeds the limit, it refuses all of them.
 */
export class RateLimit {
  readonly #minutes = new Map<string, Minute>();

  constructor(private readonly perMinute: number) {}

  /**
   * Counts a request, unless it is refused.
   * @param who the key or the network that it counts towards
   * @returns a refusal if it exceeds the limit, else null
   */
  count(who: string): AppError | null {
    const now = performance.now();
    const minute = this.#minuteOf(who, now);
    if (minute.requests < this.perMinute) {
      minute.requests += 1;
      return null;
    }
    const retryAfter = Math.ceil((minute.endsAt - now) / 1000);
    return new AppError(
      'too-many-requests',
      `That was more than ${this.perMinute} requests in a minute. Nothing was changed; try again in ${retryAfter} s.`,
      { retryAfter },
    );
  }

  /** Takes a count back, because the request turned out to be another caller's. */
  uncount(who: string): void {
    const minute = this.#minutes.get(who);
    if (minute && minute.requests > 0) minute.requests -= 1;
  }

  #minuteOf(who: string, now: number): Minute {
    const known = this.#minutes.get(who);
    if (known && now < known.endsAt) return known;
    this.#minutes.delete(who); // so that the new minute is added at the end: the map is in the order of beginning
    const minute = { requests: 0, endsAt: now + MINUTE_MS };
    this.#minutes.set(who, minute);
    if (this.#minutes.size > MAX_MINUTES) this.#minutes.delete(this.#minutes.keys().next().value as string);
    return minute;
  }
}

/** What a request counts towards: its key, or the network of its address if it has no valid one. */
export const countedAs = ({ caller, ip }: FastifyRequest): string =>
  caller.kind === 'key' ? caller.id : networkOf(ip);

/**
 * The /64 of an IPv6 address, since one customer usually has all addresses of a /64. IPv4 addresses stay as they are.
 * @param address undefined where the client has left already, whatever Node's types say
 */
export function networkOf(address: string | undefined): string {
  if (address === undefined) return '';
  if (!address.includes(':') || !ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(':') : parsed.toString();
}
