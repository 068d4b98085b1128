// The five calls of Cloudflare's API that the tunnel needs, by Cloudflare's own SDK. The SDK is loaded with the first
// call, and so only where a tunnel is configured.
import { setMaxListeners } from 'node:events';
import type { CloudflareConfig } from '../../config/cloudflare.js';
import { type DnsRecord, MARK, type Remote, type TunnelConfiguration, targetOf } from './remote.js';

const CLOUDFLARE_URL = 'https://api.cloudflare.com/client/v4';
/** How long one call may take. The SDK itself would wait for a minute. */
const CALL_TIMEOUT_MS = 15_000;
const RECORDS_PER_PAGE = 1000;
/** A longer `Retry-After` is not believed. */
const LONGEST_PAUSE_SECONDS = 3600;
/** Headers that the SDK may send. It would also send those of CLOUDFLARE_CUSTOM_HEADERS, from whatever shell it runs in. */
const HEADERS = ['accept', 'content-type', 'user-agent'];
/** Cloudflare's codes for a record that cannot be made, because there is another one of that name. */
const RECORD_EXISTS = [81053, 81054, 81056, 81057, 81058];

export interface Tunnel {
  version: number;
  config: TunnelConfiguration | null;
}

type Client = Awaited<ReturnType<typeof loadClient>>;

/** Why Cloudflare did not do what it was asked for. */
export class CloudflareFailure extends Error {
  /**
   * @param message in a sentence; it may repeat what Cloudflare answered, and so the token
   * @param retryAfterSeconds for how long Cloudflare wants no further call; null if it did not say so
   */
  constructor(
    message: string,
    readonly retryAfterSeconds: number | null = null,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/**
 * The tunnel and the zones of the configuration, at Cloudflare. Every function throws CloudflareFailure, and the reason
 * of `signal` once that is aborted.
 */
export class CloudflareApi {
  readonly #config: CloudflareConfig;
  readonly #baseUrl: string;
  #client: Promise<Client> | undefined;

  /** @param baseUrl of the API; tests have another one */
  constructor(config: CloudflareConfig, baseUrl = CLOUDFLARE_URL) {
    this.#config = config;
    this.#baseUrl = baseUrl;
  }

  async readTunnel(signal: AbortSignal): Promise<Tunnel> {
    const { accountId, tunnelId } = this.#config;
    const tunnel = await this.#call('The tunnel could not be read', signal, ({ configurations }, options) =>
      configurations.get(tunnelId, { account_id: accountId }, options),
    );
    if (tunnel?.source === 'local') {
      throw new CloudflareFailure(
        `The tunnel ${tunnelId} is configured by a file on its own machine. Only one that is configured remotely can follow.`,
      );
    }
    return { version: tunnel?.version ?? 0, config: (tunnel?.config ?? null) as TunnelConfiguration | null };
  }

  /** Replaces the whole configuration. @returns the version that it has now */
  async writeTunnel(config: TunnelConfiguration, signal: AbortSignal): Promise<number> {
    const { accountId, tunnelId } = this.#config;
    const params = { account_id: accountId, config } as Parameters<Client['configurations']['update']>[1];
    const updated = await this.#call('The tunnel could not be changed', signal, ({ configurations }, options) =>
      configurations.update(tunnelId, params, options),
    );
    return updated?.version ?? 0;
  }

  /** The tunnel, and all records of the zones. */
  async readAll(signal: AbortSignal): Promise<Remote> {
    const { tunnelId, zones: names } = this.#config;
    const zones = await Promise.all(names.map((name) => this.#findZone(name, signal)));
    const records: DnsRecord[] = [];
    for (const zone of zones) records.push(...(await this.#listRecords(zone.id, signal)));
    return { tunnelId, ...(await this.readTunnel(signal)), zones, records };
  }

  async #findZone(name: string, signal: AbortSignal): Promise<{ id: string; name: string }> {
    const page = await this.#call(`The zone ${name} could not be read`, signal, ({ zones }, options) =>
      zones.list({ name }, options),
    );
    const found = page.result.find((zone) => zone.name === name);
    if (found) return { id: found.id, name };
    throw new CloudflareFailure(
      `There is no zone ${name} that the token may read. Correct CLOUDFLARE_ZONES, or give the token Zone Read for it.`,
    );
  }

  #listRecords(zoneId: string, signal: AbortSignal): Promise<DnsRecord[]> {
    return this.#call('The DNS records could not be read', signal, async ({ records }, options) => {
      const all: DnsRecord[] = [];
      const query = { zone_id: zoneId, per_page: RECORDS_PER_PAGE };
      for await (const record of records.list(query, options)) all.push({ ...record, zoneId });
      return all;
    });
  }

  /** @returns null if there is none (any more) */
  async findRecord({ id, zoneId }: DnsRecord, signal: AbortSignal): Promise<DnsRecord | null> {
    return this.#call('A DNS record could not be read', signal, async ({ records }, options) => {
      const record = await records.get(id, { zone_id: zoneId }, options).catch(ignoreMissing);
      return record && { ...record, zoneId };
    });
  }

  /** @returns why Cloudflare does not accept the record; null if it was made */
  async createRecord(hostname: string, zoneId: string, signal: AbortSignal): Promise<string | null> {
    const record = {
      zone_id: zoneId,
      type: 'CNAME',
      name: hostname,
      content: targetOf(this.#config.tunnelId),
      proxied: true,
      ttl: 1,
      comment: MARK,
    } as const;
    const doing = `The DNS record of ${hostname} could not be made`;
    return this.#call(doing, signal, async ({ records }, options) => {
      try {
        await records.create(record, options);
        return null;
      } catch (error) {
        const { status, codes } = readFailure(error);
        if (status === 400 || status === 409 || codes.some((code) => RECORD_EXISTS.includes(code))) {
          return describeFailure(error);
        }
        throw error;
      }
    });
  }

  async deleteRecord({ id, zoneId, name }: DnsRecord, signal: AbortSignal): Promise<void> {
    await this.#call(`The DNS record of ${name} could not be deleted`, signal, ({ records }, options) =>
      records.delete(id, { zone_id: zoneId }, options).catch(ignoreMissing),
    );
  }

  /** @param doing what failed, in the words of the failure */
  async #call<T>(
    doing: string,
    signal: AbortSignal,
    work: (client: Client, options: { signal: AbortSignal }) => PromiseLike<T>,
  ): Promise<T> {
    try {
      signal.throwIfAborted();
      this.#client ??= loadClient(this.#config.apiToken, this.#baseUrl);
      // The SDK leaves a listener on the signal for each call.
      const own = AbortSignal.any([signal]);
      setMaxListeners(0, own);
      return await work(await this.#client, { signal: own });
    } catch (error) {
      // The SDK has an error of its own for this, without the reason.
      signal.throwIfAborted();
      throw new CloudflareFailure(`${doing}: ${describeFailure(error)}.`, readFailure(error).retryAfter, error);
    }
  }
}

/**
 * Everything that the SDK would otherwise take from the environment is given here: another address, other credentials,
 * and the level of a log that would have the requests in it. It repeats nothing, because a pass is repeated as a whole.
 */
async function loadClient(apiToken: string, baseURL: string) {
  const { BaseCloudflare, Configurations, Records, Zones } = await import('./sdk.js');
  const client = new BaseCloudflare({
    apiToken,
    baseURL,
    apiKey: null,
    apiEmail: null,
    userServiceKey: null,
    logLevel: 'off',
    maxRetries: 0,
    timeout: CALL_TIMEOUT_MS,
    fetch: (url, init) => {
      const headers = [...new Headers(init?.headers)].filter(([name]) => HEADERS.includes(name));
      return fetch(url, { ...init, headers: [...headers, ['authorization', `Bearer ${apiToken}`]], redirect: 'error' });
    },
  });
  return {
    records: new Records(client),
    zones: new Zones(client),
    configurations: new Configurations(client),
  };
}

function readFailure(error: unknown): { status: number | null; codes: number[]; retryAfter: number | null } {
  const { status, headers, errors } = error as { status?: number; headers?: Headers; errors?: { code?: number }[] };
  const given = headers?.get?.('retry-after') ?? '';
  const seconds = /^\d+$/.test(given) ? Number(given) : Math.ceil((Date.parse(given) - Date.now()) / 1000);
  const retryAfter = seconds > 0 ? Math.min(seconds, LONGEST_PAUSE_SECONDS) : null;
  return { status: status ?? null, codes: (errors ?? []).map(({ code = 0 }) => code), retryAfter };
}

function describeFailure(error: unknown): string {
  const { status, errors } = error as { status?: number; errors?: { code?: number; message?: string }[] };
  if (status === undefined) return `Cloudflare gave no answer (${(error as Error).message.replace(/\.$/, '')})`;
  const told = (errors ?? []).map(({ code, message }) => `${message} (${code})`).join('; ');
  const rights =
    status === 401 || status === 403 ? '. Check the token and its permissions: Cloudflare Tunnel Edit, DNS Edit' : '';
  return `Cloudflare answered ${status}${told === '' ? '' : `: ${told}`}${rights}`;
}

function ignoreMissing(error: unknown): null {
  if ((error as { status?: number }).status === 404) return null;
  throw error;
}
