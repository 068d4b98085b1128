import type { AuditConflict } from '../../registry/api.js';

export type FindingKind = AuditConflict['kind'];

interface KindOfFinding {
  name: string;
  /** In one sentence, for somebody who sees it for the first time. */
  meaning: string;
  /** The state whose cell it looks like. */
  cell: 'conflict' | 'stopped' | 'cooling';
  /** What can be done with several of them at once. */
  bulk: 'release' | 'exclude' | null;
}

/** The kinds of findings, worst first. */
export const KINDS: Record<FindingKind, KindOfFinding> = {
  squatter: {
    name: 'Uninvited',
    meaning: 'Something listens on a port that nobody holds. Whoever asks for the number collides with it.',
    cell: 'conflict',
    bulk: 'exclude',
  },
  'foreign-listener': {
    name: 'Stranger',
    meaning: 'A port is held, but the process that listens on it lives outside the folder of its environment.',
    cell: 'conflict',
    bulk: 'release',
  },
  'reserved-in-use': {
    name: 'Too early',
    meaning: 'Something listens on a port whose reservation was not claimed yet.',
    cell: 'conflict',
    bulk: null,
  },
  'duplicate-hostname': {
    name: 'Hostname twice',
    meaning: 'One public hostname was set for several services, or is routed to none of them.',
    cell: 'conflict',
    bulk: null,
  },
  'not-running': {
    name: 'Not running',
    meaning: 'A port is held, and nothing listens on it: start the service, or release the port.',
    cell: 'stopped',
    bulk: 'release',
  },
  unreachable: {
    name: 'Out of reach',
    meaning: 'The host did not answer, so that nobody knows whether the service runs: check the host and the network.',
    cell: 'cooling',
    bulk: null,
  },
  'not-judged': {
    name: 'Not judged',
    meaning: 'The registry ran out of something while it looked, such as open files: audit fewer ports at a time.',
    cell: 'cooling',
    bulk: null,
  },
};

export const WORST_FIRST = Object.keys(KINDS) as FindingKind[];

/** A kind in words. One of a service that is newer than this page says its own name. */
export function describeKind(kind: FindingKind): KindOfFinding {
  const meaning = 'This page has no words for it yet. Loading it again may bring them.';
  return KINDS[kind] ?? { name: kind, meaning, cell: 'conflict', bulk: null };
}

/** Every kind, worst first, and last those of the findings that this page does not know. */
export const kindsFor = (findings: readonly AuditConflict[]): FindingKind[] => [
  ...new Set([...WORST_FIRST, ...findings.map(({ kind }) => kind)]),
];
