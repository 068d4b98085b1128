import { Option } from 'commander';
import { ClientFailure } from '../client/failure.js';
import { parseDuration } from '../input/duration.js';
import { NAME_PATTERN } from '../input/slug.js';

/** Where a port is used. Without them: TCP on this machine. */
export interface SpaceOptions {
  host?: string | undefined;
  protocol?: 'tcp' | 'udp' | undefined;
}

export const hostOption = (): Option =>
  new Option('--host <host>', 'the host that the port is used on (default: localhost)');

export const protocolOption = (): Option =>
  new Option('--protocol <protocol>', 'the protocol that the port is used with (default: tcp)').choices(['tcp', 'udp']);

/** @throws ClientFailure usage, with what the slug rule makes of the text */
export async function requireServiceName(text: string): Promise<string> {
  if (new RegExp(NAME_PATTERN).test(text)) return text;
  // Loaded only here, because what findings.js imports takes 30 ms.
  const { refuseName } = await import('../input/findings.js');
  throw new ClientFailure('usage', `The service ${refuseName(text).detail}`, '');
}

/** Reads the value of an option that is a length of time. @returns seconds */
export function readDuration(flag: string): (text: string) => number {
  return (text) => {
    const seconds = parseDuration(text);
    if (seconds !== null) return seconds;
    throw new ClientFailure(
      'usage',
      `${flag} ${JSON.stringify(text)} is no length of time.`,
      'Write it such as 15m, 2h, 30d or 1h30m, or in seconds.',
    );
  };
}

export function readPort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new ClientFailure('usage', `${JSON.stringify(text)} is no port number.`, 'Ports are 1 to 65535.');
}

/** What stands after `--` on a command line, or null if there is no `--`. */
export function findOperandsAfterDashes(args: readonly string[]): string[] | null {
  const dashes = args.indexOf('--');
  return dashes < 0 ? null : args.slice(dashes + 1);
}
