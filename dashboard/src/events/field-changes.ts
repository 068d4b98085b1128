import type { Event, Part } from './parts.js';

/** One field that was changed; null stands for nothing. */
export interface FieldChange {
  field: string;
  /** Undefined where the event does not tell it, as of metadata. */
  before: Part | null | undefined;
  after: Part | null | undefined;
}

/** Fields as people call them. Others keep the name that they have in the contract. */
const FIELD_NAMES: Record<string, string> = {
  allocatedAt: 'allocated',
  cloudflareHostname: 'hostname',
  disabledReason: 'reason',
  endPort: 'last port',
  expiresAt: 'expires',
  reuseCooldownSeconds: 'cooldown in seconds',
  serviceType: 'type',
  startPort: 'first port',
  types: 'events',
  url: 'URL',
};

/** Of an empty list these fields stand for everything. */
const ALL_IF_EMPTY = new Set(['types', 'projects']);
/** The sentence says that a webhook was switched off, and a hash says nothing to a person. */
const NOT_SHOWN = new Set(['disabledAt', 'hash']);

/** The fields that an event of a change tells of, with what they had before and have since. */
export function listChanges({ data }: Event): FieldChange[] {
  const { changed = [], previous = {} } = data;
  const now: Record<string, unknown> =
    data.allocation ?? data.range ?? data.excludedPort ?? data.apiKey ?? data.webhook ?? {};
  return changed
    .filter((field) => !NOT_SHOWN.has(field))
    .map((field) => ({
      field: FIELD_NAMES[field] ?? field,
      before: field in previous ? tellValue(field, previous[field]) : undefined,
      after: field in now ? tellValue(field, now[field]) : undefined,
    }));
}

function tellValue(field: string, value: unknown): Part | null {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return { text: value.join(', ') || (ALL_IF_EMPTY.has(field) ? 'all' : 'none') };
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return TIME_FIELD.test(field) ? { time: text } : { text };
}

const TIME_FIELD = /At$/;
