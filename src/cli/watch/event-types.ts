import { ClientFailure } from '../../client/failure.js';
import { type EventType, eventTypes } from '../../schemas/events/event-types.js';

/**
 * Adds what one `--on` names: types with commas between them, and of a kind such as `service` all types.
 * @throws ClientFailure usage
 */
export function addEventTypes(text: string, before: readonly EventType[] = []): EventType[] {
  const named = text.split(',').flatMap((part) => {
    const name = part.trim();
    const types = eventTypes.filter((type) => type === name || type.startsWith(`${name}.`));
    if (types.length > 0) return types;
    const wrong = `There is no event ${JSON.stringify(name)}.`;
    throw new ClientFailure('usage', wrong, `There are ${eventTypes.join(', ')}.`);
  });
  return [...new Set([...before, ...named])];
}
