import { useState } from 'preact/hooks';
import { Confirm, type Fields, Form, Modal, TextField } from '../../dialogs/form.js';
import { Gone } from '../../dialogs/gone.js';
import { doForEach, type Outcome } from '../../for-each.js';
import { plural } from '../../format.js';
import { tell } from '../../notices.js';
import { closeDialog } from '../../place.js';
import { releasePorts } from '../../registry/actions.js';
import { answerOf, api, InputError } from '../../registry/api.js';
import { nameSpot } from '../../registry/port-space.js';
import { excluded, heldBySpot } from '../../registry/store.js';
import { clearSelection } from './selection.js';
import { readSpots } from './spots.js';

// Dialogs about several findings, as spots.ts names them.

/** @throws an error that names what was not done, and why the first of them was not */
function requireAll({ failed }: Pick<Outcome<unknown>, 'failed'>): void {
  const [first] = failed;
  if (first === undefined) return;
  if (failed.length === 1) throw first.error;
  const reason = first.error instanceof Error ? first.error.message : '';
  throw new InputError(`Not done: ${failed.map(({ what }) => what).join(', ')}. Of the first one: ${reason}`);
}

/** Confirms the release of several ports. */
export function ReleaseFound({ about }: { about: string }) {
  const [chosen] = useState(() => readSpots(about).flatMap((spot) => heldBySpot.value.get(nameSpot(spot)) ?? []));
  if (chosen.length === 0) return <Gone what="What was selected" />;
  // What was released before one of them failed is not asked for again. When all are, the dialog is about to close.
  const left = chosen.filter((one) => heldBySpot.value.get(nameSpot(one))?.id === one.id);
  const held = left.length === 0 ? chosen : left;
  const release = async () => {
    requireAll({ failed: await releasePorts(held) });
    clearSelection();
    await closeDialog();
  };
  const what = plural(held.length, 'port');
  return (
    <Confirm title={`Release ${what}?`} submit={`Release ${what}`} action={release}>
      <p>Their services give them up, and the next ones that ask may be given these numbers:</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls has to be reached by the keyboard */}
      <ul class="several" tabIndex={0} aria-label="What is selected">
        {held.map(({ id, port, host, project, service, environment }) => (
          <li key={id}>
            <span class="number">{port}</span> {project}/{service}{' '}
            <span class="quiet">
              {environment}, {host}
            </span>
          </li>
        ))}
      </ul>
    </Confirm>
  );
}

/** Excludes several numbers, for one reason. */
export function ExcludeFound({ about }: { about: string }) {
  const [ports] = useState(() => [...new Set(readSpots(about).map(({ port }) => port))]);
  const left = ports.filter((port) => !excluded.value.has(port));
  if (left.length === 0) return <Gone what="What was selected" />;
  const exclude = async (fields: Fields) => {
    const reason = fields.required('reason');
    const outcome = await doForEach(left, String, async (port) => {
      await answerOf(api.PUT('/v1/excluded-ports/{port}', { params: { path: { port } }, body: { reason } }));
      return port;
    });
    requireAll(outcome);
    clearSelection();
    await closeDialog();
    tell(`${plural(outcome.done.length, 'port is', 'ports are')} excluded.`, () => includeAgain(outcome.done));
  };
  return (
    <Modal title={`Exclude ${plural(left.length, 'port')}`} onClose={closeDialog}>
      <p class="lead">Nobody is given these numbers unasked, on whatever host: {left.join(', ')}.</p>
      <Form submit="Exclude" onClose={closeDialog} action={exclude}>
        <TextField name="reason" label="Reason" required hint="What listens there, for whoever wonders later." />
      </Form>
    </Modal>
  );
}

async function includeAgain(ports: readonly number[]): Promise<void> {
  const { done } = await doForEach(ports, String, async (port) =>
    answerOf(api.DELETE('/v1/excluded-ports/{port}', { params: { path: { port } } })),
  );
  tell(`${plural(done.length, 'port')} can be given out again.`);
}
