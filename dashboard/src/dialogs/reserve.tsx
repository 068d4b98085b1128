import { useState } from 'preact/hooks';
import { formatMoment } from '../format.js';
import { answerOf, api, makeIdempotencyKey, type Reservation } from '../registry/api.js';
import { refresh, space } from '../registry/registry.js';
import { environments, projects, selectPort } from '../registry/view.js';
import { type Fields, Form, Labelled, Modal, TextField } from './form.js';
import { closeDialog, notice } from './open.js';

const DURATIONS: [seconds: number, name: string][] = [
  [900, '15 minutes'],
  [3600, '1 hour'],
  [86_400, '1 day'],
  [604_800, '7 days'],
  [2_592_000, '30 days'],
];

/** Reserves a port. */
export function Reserve({ project, port }: { project?: string; port?: number }) {
  const [idempotencyKey] = useState(makeIdempotencyKey);
  const { host, protocol } = space.value;

  const reserve = async (fields: Fields) => {
    const reservation = await answerOf(
      api.POST('/v1/projects/{project}/reservations', {
        params: { path: { project: fields.required('project') }, header: { 'idempotency-key': idempotencyKey } },
        body: {
          ttlSeconds: Number(fields.required('ttlSeconds')),
          host,
          protocol,
          ...(port !== undefined && { port }),
          ...fields.optional('service'),
          ...fields.optional('reservedBy'),
          ...fields.optional('reason'),
        },
      }),
    );
    closeDialog();
    notice.value = `Port ${reservation.port} is reserved until ${formatMoment(reservation.expiresAt)}.`;
    selectPort(reservation.port, reservation);
    await refresh();
  };

  return (
    <Modal title={port === undefined ? 'Reserve a port' : `Reserve port ${port}`} onClose={closeDialog}>
      <p class="lead">
        On {host}, {protocol.toUpperCase()}. Nobody else gets it until the time is over; claim it before then to keep
        it.
      </p>
      <Form submit="Reserve it" onClose={closeDialog} action={reserve}>
        <TextField
          name="project"
          label="Project"
          required
          value={project ?? ''}
          readOnly={port !== undefined}
          suggestions={projects.value.map((map) => map.project)}
        />
        <Labelled name="ttlSeconds" label="For" required>
          {(control) => (
            <select {...control}>
              {DURATIONS.map(([seconds, name]) => (
                <option key={seconds} value={seconds} selected={seconds === 3600}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Labelled>
        <TextField name="service" label="Service" hint="For which service, if that is known." />
        <TextField name="reservedBy" label="Reserved by" placeholder="your name, a pipeline" />
        <TextField name="reason" label="Reason" />
      </Form>
    </Modal>
  );
}

/** Claims a reservation for a service. */
export function Claim({ reservation }: { reservation: Reservation }) {
  const [idempotencyKey] = useState(makeIdempotencyKey);
  const claim = async (fields: Fields) => {
    const allocation = await answerOf(
      api.POST('/v1/reservations/{id}/claim', {
        params: { path: { id: reservation.id }, header: { 'idempotency-key': idempotencyKey } },
        body: { service: fields.required('service'), ...fields.optional('environment') },
      }),
    );
    closeDialog();
    notice.value = `${allocation.project}/${allocation.service} has port ${allocation.port}.`;
    await refresh();
  };
  return (
    <Modal title={`Claim port ${reservation.port}`} onClose={closeDialog}>
      <p class="lead">From then on it is held, and does not expire.</p>
      <Form submit="Claim it" onClose={closeDialog} action={claim}>
        <TextField name="service" label="Service" required value={reservation.service ?? ''} />
        <TextField name="environment" label="Environment" placeholder="default" suggestions={environments.value} />
      </Form>
    </Modal>
  );
}
