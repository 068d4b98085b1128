import type { FeedEvent } from '../registry/api.js';

export type EventType = FeedEvent['type'];

/** Types of events that are chosen together. */
export interface EventGroup {
  /** As it stands in the address bar. */
  id: string;
  name: string;
  types: readonly EventType[];
}

/** The groups, and what each of their events is about; '' where the names of its types say that themselves. */
const GROUPS = {
  ports: ['Ports allocated and released', 'Port '],
  services: ['Services up and down', 'Service '],
  reservations: ['Reservations', 'Reservation '],
  environments: ['Environments', 'Environment '],
  ranges: ['Ranges and excluded ports', ''],
  audits: ['Audits', 'Audit '],
  keys: ['Keys', 'Key '],
  webhooks: ['Webhooks', 'Webhook '],
} as const;

/** Every type, with its group and what it tells. One that is missing here does not compile. */
const TYPES: Record<EventType, [group: keyof typeof GROUPS, name: string]> = {
  'allocation.created': ['ports', 'allocated'],
  'allocation.updated': ['ports', 'described anew'],
  'allocation.released': ['ports', 'released'],
  'reservation.created': ['reservations', 'made'],
  'reservation.renewed': ['reservations', 'renewed'],
  'reservation.cancelled': ['reservations', 'cancelled'],
  'reservation.claimed': ['reservations', 'claimed'],
  'reservation.expired': ['reservations', 'expired'],
  'range.created': ['ranges', 'Range created'],
  'range.changed': ['ranges', 'Range changed'],
  'range.deleted': ['ranges', 'Range deleted'],
  'service.up': ['services', 'came up'],
  'service.down': ['services', 'went down'],
  'audit.finished': ['audits', 'finished'],
  'api-key.created': ['keys', 'made'],
  'api-key.changed': ['keys', 'changed'],
  'api-key.revoked': ['keys', 'revoked'],
  'environment.changed': ['environments', 'expiry changed'],
  'environment.due': ['environments', 'expires soon'],
  'environment.released': ['environments', 'released'],
  'excluded-port.added': ['ranges', 'Port excluded'],
  'excluded-port.changed': ['ranges', 'Exclusion changed'],
  'excluded-port.removed': ['ranges', 'Exclusion ended'],
  'webhook.created': ['webhooks', 'made'],
  'webhook.changed': ['webhooks', 'changed'],
  'webhook.deleted': ['webhooks', 'deleted'],
};

const allTypes = Object.keys(TYPES) as EventType[];

export const EVENT_GROUPS: readonly EventGroup[] = Object.entries(GROUPS).map(([id, [name]]) => ({
  id,
  name,
  types: allTypes.filter((type) => TYPES[type][0] === id),
}));

/** @returns undefined for a text that names none */
export const eventGroup = (id: string): EventGroup | undefined => EVENT_GROUPS.find((group) => group.id === id);

/** What a type tells, under the name of its group. */
export const nameOfType = (type: EventType): string => TYPES[type][1];

/** An event in few words: `Port allocated`. A type of a service that is newer than this page says its own name. */
export function tellType(type: EventType): string {
  const [group, name] = TYPES[type] ?? [];
  return group === undefined ? type : GROUPS[group][1] + name;
}
