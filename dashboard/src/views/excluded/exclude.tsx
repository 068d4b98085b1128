import { useState } from 'preact/hooks';
import { Confirm, type Fields, Form, Labelled, Modal, TextField } from '../../dialogs/form.js';
import { Gone } from '../../dialogs/gone.js';
import { tell } from '../../notices.js';
import { FreeText } from '../../parts/free-text.js';
import { closeDialog } from '../../place.js';
import { answerOf, api, describeFailure } from '../../registry/api.js';
import { ownerOf } from '../../registry/audits.js';
import { excluded, heldByPort } from '../../registry/store.js';

/** Between these a range can lie, so that no other number is ever handed out. */
const LOWEST_PORT = 3000;
const HIGHEST_PORT = 64_999;

/** Excludes a port, or changes why it is excluded. About a port or nothing. */
export function Exclude({ about: given }: { about: string }) {
  const about = /^\d+$/.test(given) ? given : '';
  const [known] = useState(() => excluded.value.get(Number(about)));
  const exclude = async (fields: Fields) => {
    const port = Number(fields.required('port'));
    await putExclusion(port, fields.required('reason'));
    await closeDialog();
    tell(known === undefined ? `Port ${port} is excluded.` : `Port ${port} has another reason.`);
  };
  return (
    <Modal title={titleOf(about, known !== undefined)} onClose={closeDialog}>
      <p class="lead">
        It is given to nobody unasked, on any host, TCP and UDP. Whoever holds it keeps it, and by its number it can
        still be had.
      </p>
      <Form submit={known === undefined ? 'Exclude it' : 'Save'} onClose={closeDialog} action={exclude}>
        <Labelled name="port" label="Port" required hint={hintOn(about)}>
          {(control) => (
            <input
              {...control}
              type="number"
              min={LOWEST_PORT}
              max={HIGHEST_PORT}
              defaultValue={about}
              readOnly={about !== ''}
            />
          )}
        </Labelled>
        <TextField
          name="reason"
          label="Reason"
          required
          value={known?.reason ?? ''}
          hint="For those who wonder why they do not get it: our VPN client listens there on every laptop."
        />
      </Form>
    </Modal>
  );
}

function titleOf(about: string, isKnown: boolean): string {
  if (about === '') return 'Exclude a port';
  return isKnown ? `Why port ${about} is excluded` : `Exclude port ${about}`;
}

/** Who has the number that the dialog is about, if it is about one. */
function hintOn(about: string): string {
  if (about === '') return `From ${LOWEST_PORT} to ${HIGHEST_PORT}.`;
  const port = Number(about);
  const owner = ownerOf(port);
  const holders = heldByPort.value.get(port) ?? [];
  const who = holders.map(({ project, service, host }) => `${project}/${service} on ${host}`);
  const where = owner === null ? 'No range covers it.' : `In a range of ${owner}.`;
  return who.length === 0 ? where : `${where} Held by ${who.join(', ')}.`;
}

/** Confirms that a port is given out again. About a port. */
export function StopExcluding({ about }: { about: string }) {
  const [known] = useState(() => excluded.value.get(Number(about)));
  if (known === undefined) return <Gone what="The exclusion" />;
  const { port, reason } = known;
  const stop = async () => {
    await answerOf(api.DELETE('/v1/excluded-ports/{port}', { params: { path: { port } } }));
    await closeDialog();
    tell(`Port ${port} is not excluded any more.`, () => excludeAgain(port, reason));
  };
  return (
    <Confirm title={`Stop excluding port ${port}?`} submit={`Stop excluding ${port}`} action={stop}>
      <p>
        {ownerOf(port) === null
          ? 'No range covers it now. Where one does, it is given out like any other.'
          : `Services of ${ownerOf(port)} may be given it from then on.`}
      </p>
      <p>
        It was excluded for this reason: <FreeText>{reason}</FreeText>
      </p>
    </Confirm>
  );
}

async function excludeAgain(port: number, reason: string): Promise<void> {
  await putExclusion(port, reason).then(
    () => tell(`Port ${port} is excluded again.`),
    (error: unknown) => tell(describeFailure(error)),
  );
}

async function putExclusion(port: number, reason: string): Promise<void> {
  await answerOf(api.PUT('/v1/excluded-ports/{port}', { params: { path: { port } }, body: { reason } }));
}
