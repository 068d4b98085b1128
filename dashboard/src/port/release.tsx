import { useState } from 'preact/hooks';
import { Confirm } from '../dialogs/form.js';
import { Gone } from '../dialogs/gone.js';
import { tell } from '../notices.js';
import { FreeText } from '../parts/free-text.js';
import { closeDialog } from '../place.js';
import { releasePorts } from '../registry/actions.js';
import { answerOf, api } from '../registry/api.js';
import { held, reservations } from '../registry/store.js';

/** Confirms a release. */
export function Release({ about }: { about: string }) {
  const [allocation] = useState(() => held.value.get(about));
  if (!allocation) return <Gone what="The allocation" />;
  const { port, project, service, environment, status } = allocation;
  const release = async () => {
    const [failed] = await releasePorts([allocation]);
    if (failed) throw failed.error;
    await closeDialog();
  };
  return (
    <Confirm title={`Release port ${port}?`} submit={`Release ${port}`} action={release}>
      <p>
        <strong>
          {project}/{service}
        </strong>{' '}
        (environment {environment}) gives it up, and the next service that asks may be given this number.
      </p>
      {status === 'in_use' && (
        <p class="warning">When it was last probed, something was listening on it. Stop that first.</p>
      )}
    </Confirm>
  );
}

export function Cancel({ about }: { about: string }) {
  const [reservation] = useState(() => reservations.value.get(about));
  if (!reservation) return <Gone what="The reservation" />;
  const { id, port, reservedBy } = reservation;
  const cancel = async () => {
    await answerOf(api.DELETE('/v1/reservations/{id}', { params: { path: { id } } }));
    await closeDialog();
    tell(`The reservation of port ${port} was cancelled.`);
  };
  return (
    <Confirm title={`Cancel the reservation of port ${port}?`} submit="Cancel the reservation" action={cancel}>
      <p>
        {reservedBy && (
          <>
            <FreeText>{reservedBy}</FreeText> reserved it.{' '}
          </>
        )}
        Anyone may be given the port then.
      </p>
    </Confirm>
  );
}
