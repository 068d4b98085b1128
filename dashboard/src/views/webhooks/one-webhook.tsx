import { tell } from '../../notices.js';
import { useAction } from '../../parts/action.js';
import { Age } from '../../parts/age.js';
import { CopyButton } from '../../parts/copy.js';
import { Fact } from '../../parts/facts.js';
import { FreeText } from '../../parts/free-text.js';
import { Link } from '../../parts/links.js';
import { ViewHead } from '../../parts/view-head.js';
import { addressOfView, openDialog } from '../../place.js';
import { describeFailure, type Webhook } from '../../registry/api.js';
import { Maker } from '../keys/maker.js';
import { useKeys } from '../keys/read-keys.js';
import { Deliveries } from './deliveries.js';
import { changeWebhook, useWebhook } from './read-webhooks.js';
import { ProjectsOf, State } from './state.js';
import { tellTypes } from './words.js';

/** One webhook with what it has sent. */
export function OneWebhook({ id }: { id: string }) {
  const { data, error } = useWebhook(id);
  return (
    <>
      <p>
        <Link to={addressOfView('webhooks')}>All webhooks</Link>
      </p>
      <div role="alert">{error !== null && <p class="refusal">{error}</p>}</div>
      {data === null && error === null && <p class="quiet">Reading…</p>}
      {data !== null && 'refused' in data && <ViewHead title="Webhook" scope={data.refused} />}
      {data !== null && 'gone' in data && (
        <ViewHead title="Webhook" scope="It was deleted, or the link to it is wrong." />
      )}
      {data !== null && 'found' in data && <Shown webhook={data.found} />}
    </>
  );
}

function Shown({ webhook }: { webhook: Webhook }) {
  const { id, url, description, createdAt, createdBy } = webhook;
  const { data } = useKeys();
  return (
    <>
      <ViewHead title="Webhook" scope={<FreeText>{description ?? url}</FreeText>}>
        <button type="button" class="button" onClick={() => openDialog('change-webhook', id)}>
          Change
        </button>
        <Switch webhook={webhook} />
        <button type="button" class="button danger-quiet" onClick={() => openDialog('delete-webhook', id)}>
          Delete
        </button>
      </ViewHead>
      <dl class="panel facts">
        <Fact name="URL">
          <FreeText>{url}</FreeText> <CopyButton text={url} label="the URL" />
        </Fact>
        <Fact name="State">
          <State webhook={webhook} />
        </Fact>
        <Fact name="Gets">{tellTypes(webhook)}</Fact>
        <Fact name="Of">
          <ProjectsOf webhook={webhook} />
        </Fact>
        <Fact name="Made">
          <Age at={createdAt} />
          {data !== null && (
            <>
              , by <Maker id={createdBy} keys={'keys' in data ? data.keys : null} />
            </>
          )}
        </Fact>
      </dl>
      <Deliveries webhook={webhook} />
    </>
  );
}

/** Switches it on at once. Switching it off gives up what is pending, and so asks first. */
function Switch({ webhook: { id, enabled } }: { webhook: Webhook }) {
  const { isBusy, error, run } = useAction();
  const switchOn = async () => {
    await changeWebhook(id, { enabled: true });
    tell('The webhook is on: it gets events from now on.');
  };
  return (
    <>
      <button
        type="button"
        class="button"
        aria-disabled={isBusy}
        onClick={() => (enabled ? openDialog('switch-off-webhook', id) : void run(switchOn))}
      >
        {enabled ? 'Switch off' : 'Switch on'}
      </button>
      <div role="alert">{error !== null && <p class="refusal">{describeFailure(error)}</p>}</div>
    </>
  );
}
