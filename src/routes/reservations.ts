import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { cancelReservation, claimReservation, renewReservation, reserve } from '../registry/reservations.js';
import { findReservation, listReservations } from '../repositories/reservations.js';
import { Allocation, ProjectParams } from '../schemas/allocation.js';
import { IdempotencyHeaders, Ref } from '../schemas/common.js';
import {
  NewReservation,
  Reservation,
  ReservationClaim,
  ReservationPage,
  ReservationParams,
  ReservationQuery,
  ReservationRenewal,
} from '../schemas/reservation.js';
import { answer, LINK, LOCATION, LOCKING, refusals } from './answers/responses.js';
import { type RouteOptions, readIdempotencyKey, sendPage } from './requests.js';

export const reservationRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { publicUrl }) => {
  app.post(
    '/v1/projects/:project/reservations',
    {
      schema: {
        operationId: 'reservePort',
        summary: 'Reserve a port',
        description:
          'Holds the lowest free port, or `port`, for `ttlSeconds`: to claim as an allocation, renew or cancel. ' +
          'A port that cools down is reserved by its number alone, and for the service that released it.',
        tags: ['reservations'],
        params: ProjectParams,
        headers: IdempotencyHeaders,
        body: Ref(NewReservation),
        response: {
          201: answer(Reservation, 'It is held now.', LOCATION),
          ...refusals(
            { body: true },
            ...LOCKING,
            'project-not-found',
            'range-exhausted',
            'limit-reached',
            'port-taken',
            'port-outside-range',
            'idempotency-key-reused',
          ),
        },
      },
    },
    async (request, reply) => {
      const idempotency = readIdempotencyKey(request, [request.params, request.body]);
      const { reservation, replayed } = await reserve(
        request.session,
        request.params.project,
        request.body,
        idempotency,
      );
      if (replayed) reply.header('idempotent-replayed', 'true');
      return reply.code(201).header('location', `${publicUrl}/v1/reservations/${reservation.id}`).send(reservation);
    },
  );

  app.get(
    '/v1/reservations',
    {
      schema: {
        operationId: 'listReservations',
        summary: 'List reservations',
        description: 'By port, then id. Active ones, unless `status` says otherwise; ended ones for 7 days.',
        tags: ['reservations'],
        querystring: ReservationQuery,
        response: { 200: answer(ReservationPage, 'A page of them.', LINK), ...refusals({}) },
      },
    },
    async (request, reply) =>
      sendPage(request, reply, publicUrl, await request.session.read(listReservations, request.query)),
  );

  app.get(
    '/v1/reservations/:id',
    {
      schema: {
        operationId: 'getReservation',
        summary: 'Read a reservation',
        description: 'Also one that has ended, for 7 days.',
        tags: ['reservations'],
        params: ReservationParams,
        response: { 200: answer(Reservation, 'The reservation.'), ...refusals({}, 'reservation-not-found') },
      },
    },
    (request) => request.session.read(findReservation, request.params.id),
  );

  app.patch(
    '/v1/reservations/:id',
    {
      schema: {
        operationId: 'renewReservation',
        summary: 'Renew a reservation',
        description: 'It holds for `ttlSeconds` from now on.',
        tags: ['reservations'],
        params: ReservationParams,
        body: Ref(ReservationRenewal),
        response: {
          200: answer(Reservation, 'As it is now.'),
          ...refusals({ body: true }, ...LOCKING, 'reservation-not-found', 'reservation-ended', 'reservation-expired'),
        },
      },
    },
    (request) => renewReservation(request.session, request.params.id, request.body.ttlSeconds),
  );

  app.delete(
    '/v1/reservations/:id',
    {
      schema: {
        operationId: 'cancelReservation',
        summary: 'Cancel a reservation',
        description: 'Repeatable. One that has ended is answered as it is: what it was claimed as stays allocated.',
        tags: ['reservations'],
        params: ReservationParams,
        response: {
          200: answer(Reservation, 'As it is now.'),
          ...refusals({}, ...LOCKING, 'reservation-not-found'),
        },
      },
    },
    (request) => cancelReservation(request.session, request.params.id),
  );

  app.post(
    '/v1/reservations/:id/claim',
    {
      schema: {
        operationId: 'claimReservation',
        summary: 'Claim a reservation',
        description:
          'Turns it into an allocation of the same port, in one transaction. However many callers race, they get ' +
          'one allocation, and claiming again answers it again.',
        tags: ['reservations'],
        params: ReservationParams,
        headers: IdempotencyHeaders,
        body: Ref(ReservationClaim),
        response: {
          200: answer(Allocation, 'It was claimed before, as this.'),
          201: answer(Allocation, 'It is allocated now.', LOCATION),
          ...refusals(
            { body: true },
            ...LOCKING,
            'reservation-not-found',
            'limit-reached',
            'reservation-ended',
            'reservation-expired',
            'port-taken',
            'port-outside-range',
            'idempotency-key-reused',
          ),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const idempotency = readIdempotencyKey(request, [request.params, request.body]);
      const { allocation, created, replayed } = await claimReservation(request.session, id, request.body, idempotency);
      if (replayed) reply.header('idempotent-replayed', 'true');
      if (created) reply.code(201).header('location', `${publicUrl}/v1/allocations/${allocation.id}`);
      return allocation;
    },
  );
};
