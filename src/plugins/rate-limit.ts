import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';
import { AppError } from '../errors.js';

const MINUTE_MS = 60_000;
/** Keys and addresses that are counted at a time; whose minute began first is forgotten first. */
const COUNTED = 10_000;

interface Minute {
  requests: number;
  /** By `performance.now()`. */
  endsAt: number;
}

/**
 * So many requests a minute for each key, and for each address (of IPv6, each /64) without one, on this replica.
 *
 * @fastify/rate-limit counts in an object that it shares between requests and reads a turn later: of those that
 * arrive together and pass the limit, it refuses all.
 */
export class RateLimit {
  readonly #minutes = new Map<string, Minute>();

  constructor(private readonly perMinute: number) {}

  /** Counts a request, once its caller is known. @returns the refusal of one too many */
  count({ caller, ip, routeOptions }: FastifyRequest): AppError | null {
    if (routeOptions.config.vital) return null;
    const now = performance.now();
    const minute = this.#minuteOf(caller.kind === 'key' ? caller.id : networkOf(ip), now);
    minute.requests += 1;
    if (minute.requests <= this.perMinute) return null;
    const retryAfter = Math.ceil((minute.endsAt - now) / 1000);
    return new AppError(
      'too-many-requests',
      `That was more than ${this.perMinute} requests in a minute. Nothing was changed; try again in ${retryAfter} s.`,
      { retryAfter },
    );
  }

  #minuteOf(who: string, now: number): Minute {
    const known = this.#minutes.get(who);
    if (known && now < known.endsAt) return known;
    this.#minutes.delete(who); // to the end, where those that began last are
    const minute = { requests: 0, endsAt: now + MINUTE_MS };
    this.#minutes.set(who, minute);
    if (this.#minutes.size > COUNTED) this.#minutes.delete(this.#minutes.keys().next().value as string);
    return minute;
  }
}

/** One customer has a whole /64 of IPv6. */
function networkOf(address: string): string {
  if (!address.includes(':') || !ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(':') : parsed.toString();
}
