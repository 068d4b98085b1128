import type { Span, System, SystemPorts } from '../machine/ephemeral-ports.js';

/** What each system gives to outgoing connections by default: ip(7) of Linux; macOS and Windows follow RFC 6335. */
const DEFAULTS: Record<System, Span> = {
  Linux: { start: 32768, end: 60999 },
  macOS: { start: 49152, end: 65535 },
  Windows: { start: 49152, end: 65535 },
};

/** Ports on which a system listens itself. */
const OWN_PORTS = [5000, 7000];

/**
 * What may surprise the services of a range, a sentence or two for each system. The people of a project use several
 * systems, so macOS and Windows are always mentioned. Linux is not, where this machine has told its own ports.
 */
export function warningsOf(range: Span, { system, ephemeral, setAside }: SystemPorts): string[] {
  const own = system !== null && ephemeral !== null ? { system, span: ephemeral } : null;
  const others = (['Linux', 'macOS', 'Windows'] as const)
    .filter((other) => other !== own?.system && (own === null || other !== 'Linux'))
    .map((other) => ({ system: other, span: DEFAULTS[other] }));
  return [
    ...(own && overlaps(range, own.span) ? [warnOfConnections(range, own.system, own.span, ' on this machine')] : []),
    ...others
      .filter(({ span }) => overlaps(range, span))
      .map(({ system, span }) => warnOfConnections(range, system, span, '')),
    ...warnOfAirPlay(range),
    ...warnOfSetAside(range, setAside),
  ];
}

function warnOfConnections(range: Span, system: System, { start, end }: Span, where: string): string {
  return (
    `${system}${where} takes outgoing connections' ports from ${start}–${end}, which this range overlaps: a service can ` +
    `find its port taken for a moment. ${remedyOf(range, system)}`
  );
}

function remedyOf({ start, end }: Span, system: System): string {
  switch (system) {
    case 'Linux':
      return 'Keep it out with net.ipv4.ip_local_reserved_ports.';
    case 'macOS':
      return 'Move them away with sysctl net.inet.ip.portrange.first and net.inet.ip.portrange.last.';
    case 'Windows':
      return (
        'Keep it out with netsh interface ipv4 add excludedportrange protocol=tcp ' +
        `startport=${start} numberofports=${end - start + 1}.`
      );
  }
}

function warnOfAirPlay(range: Span): string[] {
  const ports = OWN_PORTS.filter((port) => overlaps(range, { start: port, end: port }));
  if (ports.length === 0) return [];
  return [
    `macOS itself listens on ${ports.join(' and ')} of this range, for its AirPlay receiver. Switch that off in the ` +
      'system settings (General, AirDrop & Handoff), or exclude the port.',
  ];
}

function warnOfSetAside(range: Span, setAside: Span[]): string[] {
  const spans = setAside
    .filter((span) => overlaps(range, span))
    .map((span) => ({ start: Math.max(span.start, range.start), end: Math.min(span.end, range.end) }));
  if (spans.length === 0) return [];
  const named = spans.map(({ start, end }) => (start === end ? start : `${start}–${end}`)).join(', ');
  return [
    `Windows on this machine has set aside ${named} of this range, and no service can listen there (netsh interface ipv4 ` +
      'show excludedportrange protocol=tcp). Exclude these ports, or use a range elsewhere.',
  ];
}

const overlaps = (a: Span, b: Span): boolean => a.start <= b.end && a.end >= b.start;
