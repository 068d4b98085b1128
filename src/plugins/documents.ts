import makeEtag from 'etag';
import type { FastifyReply, FastifyRequest } from 'fastify';
import isFresh from 'fresh';

/** A text that stays the same for as long as the process runs. All answers share its bytes. */
export interface Document {
  type: string;
  bytes: Buffer;
  etag: string;
}

export function makeDocument(type: string, content: string | Buffer): Document {
  const bytes = Buffer.from(content);
  return { type, bytes, etag: makeEtag(bytes) };
}

/** Sends a document, or 304 if the client has it already. Clients may keep it, and ask each time if it is still valid. */
export function sendDocument(
  request: FastifyRequest,
  reply: FastifyReply,
  { type, bytes, etag }: Document,
): FastifyReply {
  reply.headers({ etag, 'cache-control': 'no-cache' });
  if (isFresh(request.headers, { etag })) return reply.code(304).send();
  return reply.type(type).send(bytes);
}
