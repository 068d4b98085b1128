import type { ComponentChildren } from 'preact';
import { Form, Modal } from '../../dialogs/form.js';
import { plural } from '../../format.js';
import { tell } from '../../notices.js';
import { FreeText } from '../../parts/free-text.js';
import { useLoaded } from '../../parts/loaded.js';
import { closeDialog } from '../../place.js';
import { applyPlan, type CloudflarePlan, type CloudflareStatus, readPlan, readStatus } from './read-cloudflare.js';
import { describeChange, nameChange, summarize } from './words.js';

/** Repeats what would be changed now, and does it. */
export function ApplyCloudflare() {
  const { data, error } = useLoaded(async () => {
    const [status, plan] = await Promise.all([readStatus(), readPlan()]);
    return { status, plan };
  }, []);
  if (error !== null) {
    return (
      <Told key="failed">
        <p class="refusal" role="alert">
          {error}
        </p>
      </Told>
    );
  }
  if (data === null) {
    return (
      <Told key="waiting">
        <p class="quiet" role="status">
          Asking Cloudflare what is there…
        </p>
      </Told>
    );
  }
  const { plan, status } = data;
  if (plan.changes.length === 0 && status.followingSince !== null) {
    return (
      <Told key="nothing">
        <p>There is nothing to change: the tunnel and its DNS records are in step with the registry.</p>
        <Left plan={plan} />
      </Told>
    );
  }
  return <Confirmed key="confirm" plan={plan} status={status} />;
}

function Told({ children }: { children: ComponentChildren }) {
  return (
    <Modal title="Apply the plan" onClose={closeDialog}>
      {children}
      <div class="buttons">
        <button type="button" class="button" onClick={() => void closeDialog()}>
          Close
        </button>
      </div>
    </Modal>
  );
}

function Confirmed({ plan, status }: { plan: CloudflarePlan; status: CloudflareStatus }) {
  const { changes } = plan;
  const apply = async () => {
    const made = await applyPlan();
    await closeDialog();
    tell(
      made.changes.length === 0
        ? 'The tunnel follows the registry from now on.'
        : `Cloudflare was changed. ${summarize(made.changes)}.`,
    );
  };
  const submit = changes.length === 0 ? 'Follow from now on' : `Make ${plural(changes.length, 'change')}`;
  return (
    <Modal title="Apply the plan?" onClose={closeDialog}>
      <Form danger submit={submit} keep="Not now" onClose={closeDialog} action={apply}>
        {changes.length > 0 && (
          <>
            <p>In Cloudflare, {summarize(changes)}. It counts at once for everybody who uses these names.</p>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls has to be reached by the keyboard */}
            <ul class="bulk-list" tabIndex={0} aria-label="The changes">
              {changes.map((change) => (
                <li key={`${change.kind} ${change.action} ${change.hostname}`}>
                  <FreeText>{change.hostname}</FreeText>: {nameChange(change)}.{' '}
                  <FreeText>{describeChange(change)}</FreeText>
                </li>
              ))}
            </ul>
          </>
        )}
        {status.followingSince === null && (
          <p class="warning">
            It is the first time. From then on the tunnel follows each change of a hostname by itself.
          </p>
        )}
        <Left plan={plan} />
      </Form>
    </Modal>
  );
}

function Left({ plan: { conflicts } }: { plan: CloudflarePlan }) {
  if (conflicts.length === 0) return null;
  return <p class="quiet">Not touched: {plural(conflicts.length, 'conflict')}, which the plan lists.</p>;
}
