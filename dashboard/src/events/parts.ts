import type { components } from '../../generated/contract.js';

export type Event = components['schemas']['Event'];
export type Actor = components['schemas']['Actor'];

/** A piece of what is said: words of this page, or something that is shown in its own way, such as a link. */
export type Part =
  | string
  | PortPart
  | { project: string }
  /** Somebody's own text, such as the name of a key. */
  | { text: string }
  /** A time in RFC 3339. */
  | { time: string }
  /** A link to one of the views, such as that of the webhooks. */
  | { view: string; of: Record<string, string>; name: string };

export interface PortPart {
  port: number;
  host: string;
  protocol: 'tcp' | 'udp';
}

/** A sentence, or who has done something, as plain text. */
export function textOf(parts: readonly Part[]): string {
  return parts.map(textOfPart).join('');
}

function textOfPart(part: Part): string {
  if (typeof part === 'string') return part;
  if ('port' in part) return nameOfPort(part);
  if ('project' in part) return part.project;
  if ('text' in part) return part.text;
  return 'time' in part ? part.time : part.name;
}

/** `3102`, or `3102/UDP on build-1`: only what is not the usual is said. */
export function nameOfPort({ port, host, protocol }: PortPart): string {
  return `${port}${protocol === 'udp' ? '/UDP' : ''}${host === 'localhost' ? '' : ` on ${host}`}`;
}

/** Who has done something, in a sentence. */
export function nameActor({ kind, name, client }: Actor): Part[] {
  switch (kind) {
    case 'key':
      return ['key ', { text: name ?? 'without a name' }];
    case 'service':
      return ['the service'];
    case 'sql':
      return [{ text: name ?? 'somebody' }, ' (in the database)'];
    case 'anonymous': {
      if (client === null) return ['somebody'];
      const browser = browserOf(client);
      return browser === null ? [{ text: client }] : [`somebody in ${browser}`];
    }
    default: // of a service that is newer than this page
      return [name === null ? kind : { text: name }];
  }
}

/** With which program; empty where the sentence says it already. */
export function nameProgram({ kind, client }: Actor): Part[] {
  return client === null || kind === 'anonymous' ? [] : ['with ', { text: browserOf(client) ?? client }];
}

/**
 * The same text for whatever the same one has done, for filters: `key:deploy-consilio`, `anonymous:curl/8.5.0`,
 * `service`.
 */
export function identifyActor({ kind, name, client }: Actor): string {
  const who = kind === 'anonymous' && client !== null ? (browserOf(client) ?? client) : name;
  return who === null ? kind : `${kind}:${who}`;
}

/** In this order, because a browser also names those that it is compatible with. */
const BROWSERS: [mark: string, name: string][] = [
  ['Edg/', 'Edge'],
  ['OPR/', 'Opera'],
  ['Firefox/', 'Firefox'],
  ['Chrome/', 'Chrome'],
  ['Safari/', 'Safari'],
];

/** The name of a browser; null for other programs, whose own words for themselves are short. */
function browserOf(client: string): string | null {
  if (!client.startsWith('Mozilla/')) return null;
  return BROWSERS.find(([mark]) => client.includes(mark))?.[1] ?? 'a browser';
}

/** Makes the first letter a large one, if it is of this page's words. */
export function capitalise(parts: Part[]): Part[] {
  const [first, ...others] = parts;
  return typeof first === 'string' ? [first.charAt(0).toUpperCase() + first.slice(1), ...others] : parts;
}
