/**
 * The types of events: each says what has happened to which kind of object. They stand apart from the schema, because
 * the command needs them too, and takes longer to load TypeBox than for all its work.
 */
export const eventTypes = [
  'allocation.created',
  'allocation.updated',
  'allocation.released',
  'reservation.created',
  'reservation.renewed',
  'reservation.cancelled',
  'reservation.claimed',
  'reservation.expired',
  'range.created',
  'range.changed',
  'range.deleted',
  'service.up',
  'service.down',
  'audit.finished',
  'api-key.created',
  'api-key.changed',
  'api-key.revoked',
  'environment.changed',
  'environment.due',
  'environment.released',
  'excluded-port.added',
  'excluded-port.changed',
  'excluded-port.removed',
  'webhook.created',
  'webhook.changed',
  'webhook.deleted',
] as const;
export type EventType = (typeof eventTypes)[number];
