import accepts from '@fastify/accepts';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Media types that the route can answer with, the default first. An operation without this answers JSON. */
    produces?: string[];
  }
  interface FastifyRequest {
    /** The one of the route's media types that the client prefers. */
    answerType: string;
  }
}

const JSON_ONLY = ['application/json'];

/** Chooses the media type of each answer, and refuses a request whose `Accept` excludes all those of its route. */
export async function registerNegotiation(app: FastifyInstance): Promise<void> {
  await app.register(accepts);
  app.decorateRequest('answerType', 'application/json');
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.is404) return done();
    const { config, schema } = request.routeOptions;
    const produces = config.produces ?? (schema?.hide ? null : JSON_ONLY);
    if (produces === null) return done(); // files of /docs and of the dashboard
    const { accept } = request.headers;
    const chosen = accept === undefined || accept === '*/*' ? produces[0] : request.accepts().type(produces);
    if (typeof chosen !== 'string') return done(notAcceptable(produces));
    request.answerType = chosen;
    done();
  });
}

/** @param produces the media types that are available */
export function notAcceptable(produces: string[]): AppError {
  return new AppError(
    'not-acceptable',
    `This is available as ${produces.join(' and ')}; the Accept header excludes that.`,
  );
}
