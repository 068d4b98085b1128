import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { components, operations } from '../../../generated/contract.js';
import { useEventsOf } from '../../feed/events-of.js';
import { useLoaded } from '../../parts/loaded.js';
import { addressOfView } from '../../place.js';
import { answerOf, api, listAll, MAX_PAGE, Refusal, type Webhook } from '../../registry/api.js';

/** Counts what this page has changed itself: of webhooks only admins get events, and of deliveries nobody. */
export const ownChanges = signal(0);

/** What is read; `refused` where the key of this page may not see it, and `gone` where it is not there. */
export type Found<T> = { found: T } | { refused: string } | { gone: true };

/** Reads all webhooks that the caller may see, and again whenever one is changed. */
export function useWebhooks() {
  return useLoaded(
    () =>
      orRefused(() => {
        const query = { limit: MAX_PAGE };
        return listAll((page) => answerOf(api.GET('/v1/webhooks', { params: { query: { ...query, ...page } } })));
      }),
    [useEventsOf('webhook'), ownChanges.value],
  );
}

/** The same of one. */
export function useWebhook(id: string) {
  return useLoaded(
    () => orRefused(() => answerOf(api.GET('/v1/webhooks/{id}', { params: { path: { id } } }))),
    [id, useEventsOf('webhook'), ownChanges.value],
  );
}

type DeliveriesQuery = operations['listWebhookDeliveries']['parameters']['query'];

/** There are no events of deliveries, which are made and sent after the event that they tell of. */
const LOOK_AGAIN_MS = 3000;

/** Reads what a webhook has sent: after an event, a while later once more, and as long as some are pending. */
export function useDeliveries(id: string, query: NonNullable<DeliveriesQuery>) {
  const events = useEventsOf('event');
  const [looks, setLooks] = useState(0);
  const loaded = useLoaded(
    () => answerOf(api.GET('/v1/webhooks/{id}/deliveries', { params: { path: { id }, query } })),
    [id, JSON.stringify(query), ownChanges.value, events, looks],
  );
  const isPending = loaded.data?.items.some((delivery) => delivery.status === 'pending') ?? false;
  useEffect(() => {
    const lookAgain = () => setLooks((count) => count + 1);
    if (!isPending) {
      const timer = setTimeout(lookAgain, LOOK_AGAIN_MS);
      return () => clearTimeout(timer);
    }
    const timer = setInterval(() => !document.hidden && lookAgain(), LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [id, ownChanges.value, events, isPending]);
  return loaded;
}

async function orRefused<T>(read: () => Promise<T>): Promise<Found<T>> {
  try {
    return { found: await read() };
  } catch (error) {
    const code = error instanceof Refusal ? error.problem?.code : undefined;
    // An id that is none is refused as a field.
    if (code === 'webhook-not-found' || code === 'validation-failed') return { gone: true };
    if (code === 'forbidden') return { refused: (error as Refusal).message };
    throw error;
  }
}

/** Changes a webhook, also whether it is switched on. @throws Refusal */
export async function changeWebhook(id: string, body: components['schemas']['WebhookChange']): Promise<Webhook> {
  const webhook = await answerOf(api.PATCH('/v1/webhooks/{id}', { params: { path: { id } }, body }));
  ownChanges.value++;
  return webhook;
}

export const addressOfWebhook = (id: string): string => addressOfView('webhooks', { webhook: id });
