import { toAsciiLowerCase } from '../input/lower-case.js';
import { splitList } from './checks.js';
import type { EnvironmentVariables } from './environment-variables.js';

/** The tunnel that follows the registry by itself, and the DNS zones whose records do. */
export interface CloudflareConfig {
  readonly apiToken: string;
  readonly accountId: string;
  readonly tunnelId: string;
  /** The names of the zones, in lower case. */
  readonly zones: readonly string[];
}

const NAMES = ['CLOUDFLARE_API_TOKEN', 'CLOUDFLARE_ACCOUNT_ID', 'CLOUDFLARE_TUNNEL_ID', 'CLOUDFLARE_ZONES'] as const;
const ACCOUNT_ID = /^[0-9a-f]{32}$/i;
const TUNNEL_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const ZONE = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

type Variables = { [Name in (typeof NAMES)[number]]?: string | undefined };

/** Null if the tunnel is not configured. */
export function readCloudflare(env: EnvironmentVariables): CloudflareConfig | null {
  const { CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID, CLOUDFLARE_TUNNEL_ID, CLOUDFLARE_ZONES } = env;
  if (!CLOUDFLARE_API_TOKEN || !CLOUDFLARE_ACCOUNT_ID || !CLOUDFLARE_TUNNEL_ID || !CLOUDFLARE_ZONES) return null;
  return Object.freeze({
    apiToken: CLOUDFLARE_API_TOKEN,
    accountId: toAsciiLowerCase(CLOUDFLARE_ACCOUNT_ID),
    tunnelId: toAsciiLowerCase(CLOUDFLARE_TUNNEL_ID),
    zones: Object.freeze([...new Set(splitList(CLOUDFLARE_ZONES).map(toAsciiLowerCase))]),
  });
}

/** All of the variables, or none. The problem with the token does not quote it, because it is a secret. */
export function checkCloudflare(env: Variables): string[] {
  const missing = NAMES.filter((name) => env[name] === undefined);
  if (missing.length === NAMES.length) return [];
  const { CLOUDFLARE_API_TOKEN: token, CLOUDFLARE_ACCOUNT_ID: account, CLOUDFLARE_TUNNEL_ID: tunnel } = env;
  const zones = env.CLOUDFLARE_ZONES === undefined ? null : splitList(env.CLOUDFLARE_ZONES);
  return [
    ...missing.map((name) => `${name}: is missing; set all of ${NAMES.join(', ')}, or none of them`),
    ...(token !== undefined && !/^[\x21-\x7e]{20,512}$/.test(token)
      ? ['CLOUDFLARE_API_TOKEN: what was given is no API token of 20 to 512 characters without spaces']
      : []),
    ...(account !== undefined && !ACCOUNT_ID.test(account)
      ? [`CLOUDFLARE_ACCOUNT_ID: ${JSON.stringify(account)} is not 32 hexadecimal digits`]
      : []),
    ...(tunnel !== undefined && !TUNNEL_ID.test(tunnel)
      ? [`CLOUDFLARE_TUNNEL_ID: ${JSON.stringify(tunnel)} is no UUID, such as f70ff985-a4ef-4643-bbbc-4a0ed4fc8415`]
      : []),
    ...(zones?.length === 0 ? ['CLOUDFLARE_ZONES: names no zone, such as example.com'] : []),
    ...(zones ?? [])
      .filter((zone) => !ZONE.test(zone))
      .map((zone) => `CLOUDFLARE_ZONES: ${JSON.stringify(zone)} is not the name of a zone, such as example.com`),
  ];
}
