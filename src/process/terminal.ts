import { join } from 'node:path';
import { isatty } from 'node:tty';
import type { Config } from '../config.js';
import { packageRoot } from '../package-root.js';

/** Makes a line for people of a line of the log, which is JSON. */
export type Format = (line: string) => string;

/** @returns null if stdout is no terminal. Whatever reads the log there gets JSON. */
export async function formatForTerminal(): Promise<Format | null> {
  return isatty(1) ? makeFormat() : null;
}

/** Colours are left out if NO_COLOR is set, or if the terminal has none. */
export async function makeFormat(): Promise<Format> {
  const { default: pretty } = await import('pino-pretty'); // only where it is needed, because loading takes 30 ms
  const format = pretty.prettyFactory({
    colorize: pretty.isColorSupported && !process.env.NO_COLOR,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
  });
  return (line) => format(keepEscapes(line));
}

/**
 * Doubles the escapes of a JSON text, so that whoever parses it gets `\u001b` as six characters. Without this, a name
 * in the log could change what a terminal shows. Line breaks and tabs stay, because stacks and the banner have them.
 */
const keepEscapes = (json: string): string =>
  json.replace(/\\(?:u[0-9a-f]{4}|.)/gi, (found) => (/[ubfr]/i.test(found[1] as string) ? `\\${found}` : found));

/** What to do with a service that runs, for the person who has started it. */
export function describeStart(url: string, { databaseUrl, dataDir, adminApiKey }: Config): string {
  const command = packageRoot.includes('node_modules')
    ? 'pa'
    : `node ${quote(join(packageRoot, 'dist/bin/port-allocator.cjs'))}`;
  const key = adminApiKey === null ? '' : " -H 'Authorization: Bearer KEY'";
  const lines = [
    ['Dashboard', `${url}/`],
    databaseUrl === null ? ['Data folder', dataDir] : ['Database', 'the PostgreSQL of DATABASE_URL'],
    ['A port', `curl -X PUT${key} ${url}/v1/projects/consilio/services/api`],
    ['Your project', `${command} run web -- npm start`],
  ] as const;
  return `Port Allocator runs. Ctrl-C stops it.\n\n${lines.map(([name, value]) => `  ${name.padEnd(14)}${value}\n`).join('')}`;
}

const quote = (path: string): string => (/^[\w./:\\-]+$/.test(path) ? path : `"${path}"`);
