import accepts from '@fastify/accepts';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors.js';
import { type MediaType, mediaTypes } from '../media-types.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Media types that the route can answer with, the default first. An operation without this answers JSON. The list
     * is empty for one whose answers have no content, and no `Accept` excludes these.
     */
    produces?: readonly MediaType[];
  }
  interface FastifyRequest {
    /** The one of the route's media types that the client prefers. */
    answerType: MediaType;
  }
}

const JSON_ONLY = [mediaTypes.json];

/** Chooses the media type of each answer, and refuses a request whose `Accept` excludes all those of its route. */
export async function registerNegotiation(app: FastifyInstance): Promise<void> {
  await app.register(accepts);
  app.decorateRequest('answerType', mediaTypes.json);
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.is404) return done();
    const { config, schema } = request.routeOptions;
    const produces = config.produces ?? (schema?.hide ? [] : JSON_ONLY); // [] for files of /docs and of the dashboard
    const [first] = produces;
    if (first === undefined) return done();
    const { accept } = request.headers;
    const chosen = accept === undefined || accept === '*/*' ? first : request.accepts().type([...produces]);
    if (typeof chosen !== 'string') return done(notAcceptable(produces));
    request.answerType = chosen as MediaType;
    done();
  });
}

/** @param produces the media types that are available */
export function notAcceptable(produces: readonly MediaType[]): AppError {
  return new AppError(
    'not-acceptable',
    `The Accept header excludes everything that this is available as: ${produces.join(', or ')}.`,
  );
}
