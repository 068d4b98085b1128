import { useState } from 'preact/hooks';
import { ShownOnce } from '../../dialogs/shown-once.js';
import { answerOf, api, makeIdempotencyKey } from '../../registry/api.js';
import { ownChanges } from './read-webhooks.js';
import { type WebhookFields, WebhookForm } from './webhook-form.js';

/** Makes a webhook, of one project or of all, and shows its secret. */
export function NewWebhook({ about }: { about: string }) {
  const [idempotencyKey] = useState(makeIdempotencyKey);
  const [made, setMade] = useState<{ secret: string | null } | null>(null);
  if (made !== null) {
    return (
      <ShownOnce title="The webhook is made" what="secret" secret={made.secret}>
        <p>
          The receiver verifies with it that an event comes from this registry, as Standard Webhooks has it; the
          libraries of that name do so in most languages.
        </p>
      </ShownOnce>
    );
  }
  const make = async (fields: WebhookFields) => {
    const header = { 'idempotency-key': idempotencyKey };
    setMade(await answerOf(api.POST('/v1/webhooks', { params: { header }, body: fields })));
    ownChanges.value++;
  };
  const before = { url: '', description: null, types: [], projects: about === '' ? [] : [about] };
  return <WebhookForm title="New webhook" submit="Make the webhook" before={before} action={make} />;
}
