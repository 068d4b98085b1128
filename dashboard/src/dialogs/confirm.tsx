import type { ComponentChildren } from 'preact';
import { FreeText } from '../parts/free-text.js';
import { type Allocation, answerOf, api, type Reservation } from '../registry/api.js';
import { refresh } from '../registry/registry.js';
import { Form, Modal } from './form.js';
import { closeDialog, notice } from './open.js';

/** Confirms a release. It cannot be undone: another service may get the port at once. */
export function Release({ allocation }: { allocation: Allocation }) {
  const { id, port, project, service, environment, status } = allocation;
  const release = async () => {
    await answerOf(api.DELETE('/v1/allocations/{id}', { params: { path: { id } } }));
    closeDialog();
    notice.value = `Port ${port} was released.`;
    await refresh();
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

export function Cancel({ reservation }: { reservation: Reservation }) {
  const { id, port, reservedBy } = reservation;
  const cancel = async () => {
    await answerOf(api.DELETE('/v1/reservations/{id}', { params: { path: { id } } }));
    closeDialog();
    notice.value = `The reservation of port ${port} was cancelled.`;
    await refresh();
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

function Confirm(props: { title: string; submit: string; action(): Promise<void>; children: ComponentChildren }) {
  const { title, submit, action, children } = props;
  return (
    <Modal title={title} onClose={closeDialog}>
      <Form danger submit={submit} onClose={closeDialog} action={action} keep="Keep it">
        {children}
      </Form>
    </Modal>
  );
}
