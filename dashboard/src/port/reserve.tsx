import { useState } from 'preact/hooks';
import { DurationField } from '../dialogs/duration-field.js';
import { type Fields, Form, Modal, TextField } from '../dialogs/form.js';
import { Gone } from '../dialogs/gone.js';
import { chosenSpace, ProjectField, SpaceOfPort } from '../dialogs/place-fields.js';
import { formatMoment } from '../format.js';
import { tell } from '../notices.js';
import { closeDialog, go } from '../place.js';
import { answerOf, api, makeIdempotencyKey } from '../registry/api.js';
import { environments } from '../registry/filters.js';
import { nameSpot } from '../registry/port-space.js';
import { reservations } from '../registry/store.js';
import { readSubject } from './subject.js';

/** In seconds: 15 minutes, an hour, a day, a week, 30 days, which is the longest. */
const DURATIONS = [900, 3600, 86_400, 604_800, 2_592_000];
const USUAL_DURATION = 3600;

/** Reserves a port. */
export function Reserve({ about }: { about: string }) {
  const [idempotencyKey] = useState(makeIdempotencyKey);
  const { project, spot } = readSubject(about);

  const reserve = async (fields: Fields) => {
    const reservation = await answerOf(
      api.POST('/v1/projects/{project}/reservations', {
        params: { path: { project: fields.required('project') }, header: { 'idempotency-key': idempotencyKey } },
        body: {
          ttlSeconds: Number(fields.required('ttlSeconds')),
          ...chosenSpace(fields, spot),
          ...(spot !== null && { port: spot.port }),
          ...fields.optional('service'),
          ...fields.optional('reservedBy'),
          ...fields.optional('reason'),
        },
      }),
    );
    await closeDialog();
    tell(`Port ${reservation.port} is reserved until ${formatMoment(reservation.expiresAt)}.`);
    go({ port: nameSpot(reservation) });
  };

  return (
    <Modal title={spot === null ? 'Reserve a port' : `Reserve port ${spot.port}`} onClose={closeDialog}>
      <p class="lead">
        {spot !== null && `On ${spot.host}, ${spot.protocol.toUpperCase()}. `}Nobody else gets it until the time is
        over; claim it before then to keep it.
      </p>
      <Form submit="Reserve it" onClose={closeDialog} action={reserve}>
        <ProjectField project={project} spot={spot} />
        <DurationField name="ttlSeconds" label="For" choices={DURATIONS} chosen={USUAL_DURATION} />
        <TextField name="service" label="Service" hint="For which service, if that is known." />
        <SpaceOfPort spot={spot} />
        <TextField name="reservedBy" label="Reserved by" placeholder="your name, a pipeline" />
        <TextField name="reason" label="Reason" />
      </Form>
    </Modal>
  );
}

/** Has a reservation expire at another time. About the reservation. */
export function Renew({ about }: { about: string }) {
  const [reservation] = useState(() => reservations.value.get(about));
  if (!reservation) return <Gone what="The reservation" />;
  const { id, port, expiresAt } = reservation;
  const renew = async (fields: Fields) => {
    const renewed = await answerOf(
      api.PATCH('/v1/reservations/{id}', {
        params: { path: { id } },
        body: { ttlSeconds: Number(fields.required('ttlSeconds')) },
      }),
    );
    await closeDialog();
    tell(`Port ${port} is reserved until ${formatMoment(renewed.expiresAt)}.`);
  };
  return (
    <Modal title={`Renew the reservation of port ${port}`} onClose={closeDialog}>
      <p class="lead">Until now it expires {formatMoment(expiresAt)}.</p>
      <Form submit="Renew it" onClose={closeDialog} action={renew}>
        <DurationField
          name="ttlSeconds"
          label="Keep it for"
          choices={DURATIONS}
          chosen={USUAL_DURATION}
          hint="From now on, so that it can also end earlier than before."
        />
      </Form>
    </Modal>
  );
}

/** Claims a reservation for a service. */
export function Claim({ about }: { about: string }) {
  const [idempotencyKey] = useState(makeIdempotencyKey);
  const [reservation] = useState(() => reservations.value.get(about));
  if (!reservation) return <Gone what="The reservation" />;
  const claim = async (fields: Fields) => {
    const allocation = await answerOf(
      api.POST('/v1/reservations/{id}/claim', {
        params: { path: { id: reservation.id }, header: { 'idempotency-key': idempotencyKey } },
        body: { service: fields.required('service'), ...fields.optional('environment') },
      }),
    );
    await closeDialog();
    tell(`${allocation.project}/${allocation.service} has port ${allocation.port}.`);
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
