import { batch, signal } from '@preact/signals';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { type Audit, authorization, describeFailure, NoAnswer, orNoAnswer, receiveRefusal, serviceUrl } from './api.js';
import { audits } from './store.js';

/** Of the audit that this page runs. What audits have found, whoever ran them, is in audits.ts. */
export type AuditRun =
  | { phase: 'none' }
  | { phase: 'running'; scope: AuditScope; done: number; total: number; stop(): void }
  | { phase: 'failed'; reason: string };

/** One without a project is of all, one without a host of all hosts. */
export interface AuditScope {
  project?: string;
  host?: string;
}

export const auditRun = signal<AuditRun>({ phase: 'none' });

/**
 * Audits ports, also those that nobody holds, and shows the progress in `auditRun`. It does not while an audit runs.
 */
export async function runAudit(scope: AuditScope): Promise<void> {
  if (auditRun.value.phase === 'running') return;
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  auditRun.value = { phase: 'running', scope, done: 0, total: 0, stop };
  try {
    const audit = await streamAudit(scope, stopping.signal, ({ done, total }) => {
      auditRun.value = { phase: 'running', scope, done, total, stop };
    });
    batch(() => {
      addAudit(audit);
      auditRun.value = { phase: 'none' };
    });
  } catch (error) {
    const reason = stopping.signal.aborted ? 'Stopped before it was done.' : describeFailure(error);
    auditRun.value = { phase: 'failed', reason };
  }
}

/**
 * Whoever has run an audit sees at once what it has found. To others the feed tells that there is one, and their pages
 * read the list again.
 */
function addAudit(audit: Audit): void {
  const others = audits.value.filter(({ id }) => id !== audit.id);
  audits.value = [audit, ...others].sort((one, other) => other.checkedAt.localeCompare(one.checkedAt));
}

/** Sends the audit and reads its events from the body of the answer, since `EventSource` cannot send a POST. */
async function streamAudit(
  scope: AuditScope,
  signal: AbortSignal,
  onProgress: (progress: { done: number; total: number }) => void,
): Promise<Audit> {
  const call = fetch(`${serviceUrl}/v1/audits`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...authorization() },
    body: JSON.stringify({ ...scope, unallocated: true }),
    signal,
  });
  const response = await orNoAnswer(call);
  if (!response.ok || !response.body) throw receiveRefusal(response.status, await response.json().catch(() => null));
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  const reader = events.getReader();
  for (;;) {
    const { done, value } = await orNoAnswer(reader.read());
    if (done) throw new NoAnswer('The event stream ended without a result');
    const data = JSON.parse(value.data);
    if (value.event === 'progress') onProgress(data);
    if (value.event === 'problem') throw receiveRefusal(data.status, data);
    if (value.event === 'result') return data;
  }
}
