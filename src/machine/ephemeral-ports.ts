// From which ports the operating system serves itself: those that it gives to outgoing connections, and those that it
// keeps from every program.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Span {
  start: number;
  end: number;
}

export type System = 'Linux' | 'macOS' | 'Windows';

export interface SystemPorts {
  /** What this machine runs; null for anything else. */
  system: System | null;
  /** The ports that it gives to outgoing connections; null if that cannot be read. */
  ephemeral: Span | null;
  /** The ports that Windows keeps for itself, for Hyper-V for example. A program that binds to one is refused. */
  setAside: Span[];
}

const SYSTEMS: Partial<Record<NodeJS.Platform, System>> = { linux: 'Linux', darwin: 'macOS', win32: 'Windows' };
/** The programs of macOS and Windows answer in a tenth of a second. */
const TIMEOUT_MS = 2000;

let known: SystemPorts | undefined;

/** Reads them for the first caller. An operator changes them rarely, and then restarts the service. */
export function systemPorts(): SystemPorts {
  known ??= readSystemPorts();
  return known;
}

function readSystemPorts(): SystemPorts {
  const system = SYSTEMS[process.platform] ?? null;
  switch (system) {
    case 'Linux':
      return { system, ephemeral: read(parseTwoNumbers, readProc), setAside: [] };
    case 'macOS':
      return { system, ephemeral: read(parseTwoNumbers, runSysctl), setAside: [] };
    case 'Windows':
      return {
        system,
        ephemeral: read(parseDynamicPorts, runNetsh('dynamicport', 'tcp')),
        setAside: read(parseExcludedRanges, runNetsh('excludedportrange', 'protocol=tcp')) ?? [],
      };
    case null:
      return { system, ephemeral: null, setAside: [] };
  }
}

const readProc = () => readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
const runSysctl = () => run('/usr/sbin/sysctl', '-n', 'net.inet.ip.portrange.first', 'net.inet.ip.portrange.last');
const runNetsh = (what: string, protocol: string) => () => run('netsh', 'interface', 'ipv4', 'show', what, protocol);
const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    windowsHide: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });

/** Without what the system says, the warnings are about what systems do by default. */
function read<T>(parse: (text: string) => T, readText: () => string): T | null {
  try {
    return parse(readText());
  } catch {
    return null;
  }
}

/** Linux's `ip_local_port_range` and what macOS' `sysctl -n` prints: the first port and the last. */
export function parseTwoNumbers(text: string): Span | null {
  const [start, end, ...more] = text.trim().split(/\s+/).map(Number);
  return more.length === 0 ? spanOf(start, end) : null;
}

/** What `netsh … show dynamicport` prints. Its words depend on the language, the order of the two numbers does not. */
export function parseDynamicPorts(text: string): Span | null {
  const [start, count, ...more] = [...text.matchAll(/:\s*(\d+)\s*$/gm)].map(([, number]) => Number(number));
  return start !== undefined && count !== undefined && more.length === 0 ? spanOf(start, start + count - 1) : null;
}

/**
 * What `netsh … show excludedportrange` prints: a line for each, with the first port and the last. One with an asterisk
 * was made by an administrator, and keeps only outgoing connections away.
 */
export function parseExcludedRanges(text: string): Span[] {
  return [...text.matchAll(/^\s*(\d+)\s+(\d+)\s*$/gm)]
    .map(([, start, end]) => spanOf(Number(start), Number(end)))
    .filter((span) => span !== null);
}

function spanOf(start: number | undefined, end: number | undefined): Span | null {
  const isSpan = Number.isInteger(start) && Number.isInteger(end) && Number(start) <= Number(end);
  return isSpan ? { start: start as number, end: end as number } : null;
}
