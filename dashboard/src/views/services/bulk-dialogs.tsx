import { useState } from 'preact/hooks';
import { type Fields, Form, Modal, TextField } from '../../dialogs/form.js';
import { Message } from '../../dialogs/message.js';
import { doForEach } from '../../for-each.js';
import { plural } from '../../format.js';
import { tell } from '../../notices.js';
import { closeDialog } from '../../place.js';
import { nameOfPort, releasePorts } from '../../registry/actions.js';
import { answerOf, api, describeFailure, type Held, InputError } from '../../registry/api.js';
import { held } from '../../registry/store.js';
import { selected } from './selection.js';

type Failed = { what: string; error: unknown }[];

/** What was selected when the dialog was opened, less what somebody has released since. */
function useSelected(): readonly Held[] {
  const [chosen] = useState(() => selected.peek());
  return chosen.flatMap(({ id }) => held.value.get(id) ?? []);
}

/** Confirms the release of what is selected. */
export function ReleaseSelected() {
  const chosen = useSelected();
  const [failed, setFailed] = useState<Failed>([]);
  if (chosen.length === 0 && failed.length === 0) return <NothingSelected />;
  const inUse = chosen.filter(({ status }) => status === 'in_use').length;
  const release = async () => {
    const failed = await releasePorts(chosen);
    setFailed(failed);
    if (failed.length === 0) await closeDialog();
  };
  const what = plural(chosen.length, 'port');
  return (
    <Modal title={`Release ${what}?`} onClose={closeDialog}>
      <Form danger submit={`Release ${what}`} keep="Keep them" onClose={closeDialog} action={release}>
        <p>Their services give them up, and the next services that ask may be given these numbers.</p>
        {inUse > 0 && (
          <p class="warning">
            When they were last probed, something was listening on {inUse === chosen.length ? 'all' : inUse} of them.
            Stop that first.
          </p>
        )}
        <Listed held={chosen} />
        <Failures failed={failed} what="could not be released" />
      </Form>
    </Modal>
  );
}

/** Gives all that is selected the same type or description. */
export function DescribeSelected() {
  const chosen = useSelected();
  const [failed, setFailed] = useState<Failed>([]);
  if (chosen.length === 0) return <NothingSelected />;
  const describe = async (fields: Fields) => {
    const body = { ...fields.optional('serviceType'), ...fields.optional('description') };
    if (Object.keys(body).length === 0) throw new InputError('Enter a type or a description.');
    const { done, failed } = await doForEach(chosen, nameOfPort, ({ id }) =>
      answerOf(api.PATCH('/v1/allocations/{id}', { params: { path: { id } }, body })),
    );
    setFailed(failed);
    if (failed.length > 0) return;
    await closeDialog();
    tell(`${plural(done.length, 'port')} ${done.length === 1 ? 'is' : 'are'} described.`);
  };
  return (
    <Modal title={`Describe ${plural(chosen.length, 'port')}`} onClose={closeDialog}>
      <p class="lead">All of them get the same. What is left empty stays as it is.</p>
      <Form submit="Save" onClose={closeDialog} action={describe}>
        <TextField name="serviceType" label="Type" placeholder="http" />
        <TextField name="description" label="Description" />
        <Listed held={chosen} />
        <Failures failed={failed} what="could not be described" />
      </Form>
    </Modal>
  );
}

function Listed({ held: all }: { held: readonly Held[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls has to be reached by the keyboard
    <ul class="bulk-list" tabIndex={0} aria-label="What is selected">
      {all.map((one) => (
        <li key={one.id}>
          <span class="number">{one.port}</span> {one.project}/{one.service}{' '}
          <span class="quiet">
            {one.environment}, {one.host} {one.protocol.toUpperCase()}
            {one.status === 'in_use' && ', in use'}
          </span>
        </li>
      ))}
    </ul>
  );
}

/** Which ones an action has failed for, and why. */
function Failures({ failed, what }: { failed: Failed; what: string }) {
  return (
    <div role="alert">
      {failed.length > 0 && (
        <div class="refusal">
          <p>
            {plural(failed.length, 'port')} {what}:
          </p>
          <ul class="bulk-list">
            {failed.map(({ what, error }) => (
              <li key={what}>
                {what}: {describeFailure(error)}
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

function NothingSelected() {
  return (
    <Message title="Nothing is selected">
      <p>Select services in the table first. A selection is not kept when the page is loaded again.</p>
    </Message>
  );
}
