import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { mediaTypes } from '../media-types.js';
import { findAudit, listAudits } from '../repositories/audits.js';
import { Audit, AuditPage, AuditParams, AuditQuery, AuditScope } from '../schemas/audit.js';
import { Ref } from '../schemas/common.js';
import { abortOnDisconnect, type SendEvent, sendEvents } from './answers/event-stream.js';
import { answer, answerOrEvents, LINK, refusals } from './answers/responses.js';
import { type RouteOptions, sendPage } from './requests.js';

/**
 * Configures a route that answers JSON or events. REQUEST_TIMEOUT_MS does not apply, because audits may take longer.
 */
const JSON_OR_EVENTS = { produces: [mediaTypes.json, mediaTypes.events], timeoutMs: null };
/** The least time between two progress events. A progress bar still moves smoothly at this rate. */
const PROGRESS_MS = 100;

export const auditRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { auditor, publicUrl }) => {
  app.post(
    '/v1/audits',
    {
      config: JSON_OR_EVENTS,
      schema: {
        operationId: 'auditPorts',
        summary: 'Compare the registry with reality',
        description:
          'Probes every TCP port that is held in scope, stores the results of allocations as health checks, and tells ' +
          'each difference and its remedy. With `unallocated` also the other ports of the ranges in scope, on `host`, or ' +
          "else on localhost and every host on which the scope holds something; on the machine of the service, the kernel's " +
          'list of listeners tells which of these are worth a connection. A `host` that may not be probed is ' +
          '`not-probeable`; where none is given, such hosts are left out, with one `unreachable` conflict for each ' +
          '(`port` is `null`). Ports that cannot be judged, because this service has run out of open files or the like, are ' +
          '`not-judged` conflicts, counted nowhere and not stored. What is released while the audit runs is left out of ' +
          'it. With `Accept: text/event-stream` `progress` events (`done` of `total` ports) come first, then one `result` ' +
          '(`Audit`), or `problem` (`Problem`) if it breaks off. An audit whose client leaves is stopped. One that was ' +
          'finished is kept. Each key may have one audit under way; another one is ' +
          '`too-many-requests`.',
        tags: ['audits'],
        body: Ref(AuditScope),
        response: {
          200: answerOrEvents(Audit, 'What was found.', 'event: progress\ndata: {"done":1,"total":2}\n\n'),
          ...refusals({ body: true }, 'project-not-found', 'not-probeable'),
        },
      },
    },
    (request, reply) => {
      if (request.answerType !== mediaTypes.events) {
        return auditor.run(request.session, request.body, { signal: abortOnDisconnect(reply) });
      }
      return sendEvents(request, reply, (send, signal) =>
        auditor.run(request.session, request.body, { signal, onProgress: progressOf(send) }),
      );
    },
  );

  app.get(
    '/v1/audits',
    {
      schema: {
        operationId: 'listAudits',
        summary: 'List audits',
        description:
          'Newest first, each with its conflicts: of `project` and `host` those that were asked for just that. A caller ' +
          'sees an audit if the caller sees all projects that it covers. They are kept as long as health checks; of those ' +
          'that cover the same projects, the newest 1000.',
        tags: ['audits'],
        querystring: AuditQuery,
        response: { 200: answer(AuditPage, 'A page of them.', LINK), ...refusals({}) },
      },
    },
    async (request, reply) =>
      sendPage(request, reply, publicUrl, await request.session.readLarge(listAudits, request.query)),
  );

  app.get(
    '/v1/audits/:id',
    {
      schema: {
        operationId: 'getAudit',
        summary: 'Read an audit',
        description: 'One that was finished, with its conflicts.',
        tags: ['audits'],
        params: AuditParams,
        response: { 200: answer(Audit, 'The audit.'), ...refusals({}, 'audit-not-found') },
      },
    },
    (request) => request.session.readLarge(findAudit, request.params.id),
  );
};

/** Sends the progress as events, at most one each PROGRESS_MS. The last one is always sent. */
function progressOf(send: SendEvent): (done: number, total: number) => void {
  let sentAt = Number.NEGATIVE_INFINITY;
  return (done, total) => {
    if (performance.now() - sentAt < PROGRESS_MS && done < total) return;
    sentAt = performance.now();
    send('progress', { done, total });
  };
}
