import { useState } from 'preact/hooks';
import { DurationField } from '../../dialogs/duration-field.js';
import { Confirm, type Fields, Form, Modal, TextField } from '../../dialogs/form.js';
import { Gone } from '../../dialogs/gone.js';
import { plural } from '../../format.js';
import { tell } from '../../notices.js';
import { addressOfView, closeDialog, goTo } from '../../place.js';
import { answerOf, api, type Range } from '../../registry/api.js';
import { held, ranges, reservations } from '../../registry/store.js';
import { readRanges } from './read-ranges.js';

/** In seconds: none, 10 minutes, an hour, a day, a week, 30 days. */
const COOLDOWNS = [0, 600, 3600, 86_400, 604_800, 2_592_000];

/** Changes what can be changed of a range. About its first port. */
export function ChangeRange({ about }: { about: string }) {
  const [range] = useState(() => findRange(about));
  if (range === undefined) return <Gone what="The range" />;
  const { project, startPort, endPort, description, reuseCooldownSeconds } = range;
  const change = async (fields: Fields) => {
    await answerOf(
      api.PATCH('/v1/ranges/{startPort}', {
        params: { path: { startPort } },
        body: {
          description: fields.orNull('description'),
          reuseCooldownSeconds: Number(fields.required('reuseCooldownSeconds')),
        },
      }),
    );
    await closeDialog();
    tell(`The range ${startPort}–${endPort} is changed.`);
  };
  return (
    <Modal title={`Range ${startPort}–${endPort}`} onClose={closeDialog}>
      <p class="lead">Of {project}.</p>
      <Form submit="Save" onClose={closeDialog} action={change}>
        <TextField name="description" label="Description" value={description ?? ''} />
        <DurationField
          name="reuseCooldownSeconds"
          label="Cooldown"
          choices={COOLDOWNS}
          chosen={reuseCooldownSeconds}
          hint="For so long a released port is kept from other services, until its old clients have forgotten it."
        />
      </Form>
    </Modal>
  );
}

/** Confirms the deletion of a range. About its first port. */
export function DeleteRange({ about }: { about: string }) {
  const [range] = useState(() => findRange(about));
  if (range === undefined) return <Gone what="The range" />;
  const { project, startPort, endPort } = range;
  const isLast = ranges.value.filter((one) => one.project === project).length === 1;
  const remove = async () => {
    await answerOf(api.DELETE('/v1/ranges/{startPort}', { params: { path: { startPort } } }));
    await readRanges();
    await closeDialog();
    if (isLast) goTo(addressOfView('projects'), 'replace');
    tell(`The range ${startPort}–${endPort} was deleted.`);
  };
  const inUse = countInUse(range);
  return (
    <Confirm title={`Delete the range ${startPort}–${endPort}?`} submit="Delete it" action={remove}>
      <p>
        {project} gives it up{isLast && ', and is gone itself, because it has no other'}. Another project may be given
        these numbers. Their history is kept.
      </p>
      {inUse > 0 && (
        <p class="warning">
          {plural(inUse, 'port')} in it, on all hosts, {inUse === 1 ? 'is' : 'are'} held or reserved. Release what is in
          it first: until then it cannot be deleted.
        </p>
      )}
    </Confirm>
  );
}

const findRange = (about: string) => ranges.value.find(({ startPort }) => String(startPort) === about);

function countInUse({ startPort, endPort }: Range): number {
  const all = [...held.value.values(), ...reservations.value.values()];
  return all.filter(({ port }) => startPort <= port && port <= endPort).length;
}
