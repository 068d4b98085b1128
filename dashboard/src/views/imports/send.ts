import type { components } from '../../../generated/contract.js';
import { answerOf, api } from '../../registry/api.js';

export type ImportReport = components['schemas']['Import'];
export type ImportedPort = components['schemas']['ImportedPort'];
export type NewImport = components['schemas']['NewImport'];
export type Outcome = ImportedPort['outcome'];

/** The report of an import that changes nothing, of items or of a text as `ss` or `lsof` write it. */
export function checkImport(body: NewImport | string): Promise<ImportReport> {
  const isText = typeof body === 'string';
  return answerOf(
    api.POST('/v1/imports', {
      params: { query: { dryRun: true } },
      // The contract declares JSON alone. A text is sent in its place, with the media type that says so.
      body: isText ? { items: [] } : body,
      bodySerializer: (json) => (isText ? body : JSON.stringify(json)),
      headers: { 'content-type': isText ? 'text/plain' : 'application/json' },
    }),
  );
}

export function importPorts(body: NewImport, idempotencyKey: string): Promise<ImportReport> {
  return answerOf(api.POST('/v1/imports', { params: { header: { 'idempotency-key': idempotencyKey } }, body }));
}
