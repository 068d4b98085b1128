// How tools tell of ports that are held: in a line each, and for programs without what is null.
import { makeVisible } from '../input/visible.js';
import type { Allocation, AllocationOutline } from '../schemas/allocation.js';

type Told = AllocationOutline | Allocation;

/** Without the fields that are null, which say nothing. */
export function present<T extends object>(object: T): Record<string, unknown> {
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

/** The warnings of several ports, each once, to follow what was told of them. */
export function tellWarnings(items: readonly Told[]): string[] {
  return [...new Set(items.flatMap(({ warnings = [] }) => warnings))].map((warning) => `Warning: ${warning}`);
}

/** Of a description, in a line: whole descriptions of many ports would fill a context. */
const MAX_TOLD_LENGTH = 100;

/** `3100  web of shop (environment default), in use` */
export function tellListed(allocation: Told): string {
  const { port, status, serviceType, description, cloudflareHostname } = allocation;
  const details = [
    status === 'allocated' ? null : status.replace('_', ' '),
    serviceType,
    cloudflareHostname,
    description === null ? null : JSON.stringify(shorten(description)),
  ].filter((detail) => detail !== null);
  return [`${port}  ${tellHolder(allocation)}`, ...details].join(', ');
}

function shorten(text: string): string {
  const characters = [...text];
  return characters.length > MAX_TOLD_LENGTH ? `${characters.slice(0, MAX_TOLD_LENGTH).join('')}…` : text;
}

/** A line each. A line break within one is written out, because what follows it would look like a line of ours. */
export const tellLines = (...lines: (string | string[])[]): string =>
  lines
    .flat()
    .filter(Boolean)
    .map((line) => line.replace(/[\t\n\r]/g, makeVisible))
    .join('\n');
