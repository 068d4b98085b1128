// How tools tell of ports that are held: in a line each, and for programs without what is null.
import { shorten } from '../input/shorten.js';
import { makeVisible } from '../input/visible.js';
import type { Allocation, AllocationOutline } from '../schemas/allocation.js';
import type { Answer } from './tool.js';

type Told = AllocationOutline | Allocation;

/** Without the fields that are null, which say nothing. */
export function omitNulls<T extends object>(object: T): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}

/** `web of shop (environment default)`, and where it is no TCP port of localhost, which port space. */
export function tellHolder({ service, project, environment, host, protocol }: Told): string {
  return `${service} of ${project} (environment ${environment})${tellSpace({ host, protocol })}`;
}

/** `, UDP on nas.local`; nothing for TCP on localhost, which is what most ports are for. */
export function tellSpace({ host, protocol }: { host: string; protocol: string }): string {
  const parts = [protocol === 'tcp' ? null : protocol.toUpperCase(), host === 'localhost' ? null : `on ${host}`];
  const told = parts.filter((part) => part !== null).join(' ');
  return told === '' ? '' : `, ${told}`;
}

/** What a caller needs of a port that it has got, and what tells it from others. */
export function identify({ id, port, service, project, environment, host, protocol, warnings }: Told) {
  return {
    id,
    port,
    service,
    project,
    environment,
    ...(host !== 'localhost' && { host }),
    ...(protocol !== 'tcp' && { protocol }),
    ...(warnings && { warnings }),
  };
}

/** What a list tells of a port, for programs. `describe-port` has the rest, such as its metadata. */
export function outline(allocation: Told) {
  const { status, serviceType, description, cloudflareHostname, lastUsedAt } = allocation;
  return {
    ...identify(allocation),
    status,
    ...omitNulls({ serviceType, description, cloudflareHostname, lastUsedAt }),
  };
}

/** The warnings of several ports, each once, to follow what was told of them. */
export function tellWarnings(items: readonly Told[]): string[] {
  return [...new Set(items.flatMap(({ warnings = [] }) => warnings))].map((warning) => `Warning: ${warning}`);
}

/** Of a description, in a line: whole descriptions of many ports would fill a context. */
const MAX_TOLD_LENGTH = 100;

/** `3100  web of shop (environment default), in use` */
export const tellListed = (allocation: Told): string => `${allocation.port}  ${tellAllocation(allocation)}`;

/** `web of shop (environment default), in use` */
export function tellAllocation(allocation: Told): string {
  const { status, serviceType, description, cloudflareHostname } = allocation;
  const details = [
    status === 'allocated' ? null : status.replace('_', ' '),
    serviceType,
    cloudflareHostname,
    description === null ? null : JSON.stringify(shorten(description, MAX_TOLD_LENGTH)),
  ].filter((detail) => detail !== null);
  return [tellHolder(allocation), ...details].join(', ');
}

/**
 * A page of a list, and how to get the next one.
 * @param tell one item in a line
 * @param nothing what to say of an empty list
 * @param give one item for programs
 */
export function answerPage<Item extends object>(
  { items, nextCursor }: { items: readonly Item[]; nextCursor: string | null },
  tell: (item: Item) => string,
  nothing: string,
  give: (item: Item) => object = omitNulls,
): Answer {
  const more = nextCursor === null ? '' : `There are more: call again with cursor ${nextCursor}`;
  return {
    text: items.length === 0 ? nothing : tellLines(items.map(tell), more),
    content: { items: items.map(give), ...(nextCursor !== null && { nextCursor }) },
  };
}

/** A line each. A line break within one is written out, because what follows it would look like a line of ours. */
export const tellLines = (...lines: (string | string[])[]): string =>
  lines
    .flat()
    .filter(Boolean)
    .map((line) => line.replace(/[\t\n\r]/g, makeVisible))
    .join('\n');
