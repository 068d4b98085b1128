import { ClientFailure } from '../../client/failure.js';
import type { EventType } from '../../schemas/events/event.js';
import type { ExportFormat } from '../../schemas/export.js';

// Written here once more, because to load the schemas takes longer than the command. A test compares them.

export const EVENT_TYPES: readonly EventType[] = [
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
];

export const EXPORT_FORMATS: readonly ExportFormat[] = ['dotenv', 'cloudflared', 'prometheus', 'traefik', 'consul'];

/**
 * Adds what one `--on` names: types with commas between them, and of a kind such as `service` all types.
 * @throws ClientFailure usage
 */
export function addEventTypes(text: string, before: readonly EventType[] = []): EventType[] {
  const named = text.split(',').flatMap((part) => {
    const name = part.trim();
    const types = EVENT_TYPES.filter((type) => type === name || type.startsWith(`${name}.`));
    if (types.length > 0) return types;
    const wrong = `There is no event ${JSON.stringify(name)}.`;
    throw new ClientFailure('usage', wrong, `There are ${EVENT_TYPES.join(', ')}.`);
  });
  return [...new Set([...before, ...named])];
}
