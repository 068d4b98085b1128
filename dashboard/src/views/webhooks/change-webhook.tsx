import type { ComponentChildren } from 'preact';
import { Confirm } from '../../dialogs/form.js';
import { Gone } from '../../dialogs/gone.js';
import { Message } from '../../dialogs/message.js';
import { WithLoaded } from '../../dialogs/with-loaded.js';
import { tell } from '../../notices.js';
import { FreeText } from '../../parts/free-text.js';
import { closeDialog, go } from '../../place.js';
import { answerOf, api, type Webhook } from '../../registry/api.js';
import { changeWebhook, ownChanges, useWebhook } from './read-webhooks.js';
import { WebhookForm } from './webhook-form.js';

/** Reads the webhook that a dialog is about, for `children`. */
function WithWebhook({ id, children }: { id: string; children(webhook: Webhook): ComponentChildren }) {
  return (
    <WithLoaded title="Webhook" loaded={useWebhook(id)}>
      {(data) => {
        if ('found' in data) return children(data.found);
        if ('gone' in data) return <Gone what="The webhook" />;
        return (
          <Message title="Webhook">
            <p class="refusal">{data.refused}</p>
          </Message>
        );
      }}
    </WithLoaded>
  );
}

export function ChangeWebhook({ about }: { about: string }) {
  return (
    <WithWebhook id={about}>
      {(webhook) => (
        <WebhookForm
          title="Change the webhook"
          submit="Save"
          before={webhook}
          action={async (fields) => {
            await changeWebhook(webhook.id, fields);
            await closeDialog();
            tell('The webhook was changed. It counts for events from now on.');
          }}
        />
      )}
    </WithWebhook>
  );
}

export function SwitchOffWebhook({ about }: { about: string }) {
  const switchOff = async () => {
    await changeWebhook(about, { enabled: false });
    await closeDialog();
    tell('The webhook is off: nothing more is sent.');
  };
  return (
    <WithWebhook id={about}>
      {({ url }) => (
        <Confirm title="Switch the webhook off?" submit="Switch it off" action={switchOff}>
          <p>
            <FreeText>{url}</FreeText> gets no more events, and what is still to be sent is given up. When it is
            switched on again, it gets events from then on.
          </p>
        </Confirm>
      )}
    </WithWebhook>
  );
}

export function DeleteWebhook({ about }: { about: string }) {
  const remove = async () => {
    await answerOf(api.DELETE('/v1/webhooks/{id}', { params: { path: { id: about } } }));
    await closeDialog();
    go({ webhook: null, status: null, cursor: null });
    ownChanges.value++;
    tell('The webhook is deleted.');
  };
  return (
    <WithWebhook id={about}>
      {({ url }) => (
        <Confirm title="Delete the webhook?" submit="Delete it" action={remove}>
          <p>
            <FreeText>{url}</FreeText> gets no more events, and the list of what was sent to it is deleted too. Its
            secret cannot be had again.
          </p>
        </Confirm>
      )}
    </WithWebhook>
  );
}
