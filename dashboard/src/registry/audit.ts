import { computed, signal } from '@preact/signals';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import {
  type Audit,
  type AuditConflict,
  authorization,
  describeFailure,
  receiveRefusal,
  type Space,
  serviceUrl,
} from './api.js';
import { isStillTrue } from './cells.js';
import { refresh, registry, space } from './registry.js';

/** Of the audit that this page runs. What the last one found, whoever ran it, is in `registry`. */
export type AuditState =
  | { phase: 'none' }
  | { phase: 'running'; host: string; done: number; total: number; stop(): void }
  | { phase: 'done' }
  | { phase: 'failed'; reason: string };

export const auditState = signal<AuditState>({ phase: 'none' });

/** The findings of the last audit, without those that the registry shows to be out of date. */
export const findings = computed<AuditConflict[]>(() => {
  const current = registry.value;
  return current?.lastAudit?.conflicts.filter((finding) => isStillTrue(finding, current)) ?? [];
});

/** Audits every port of the map, including those that nobody holds, and shows the progress in `auditState`. */
export async function runAudit(): Promise<void> {
  const { host } = space.value;
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  auditState.value = { phase: 'running', host, done: 0, total: 0, stop };
  try {
    await streamAudit({ host }, stopping.signal, ({ done, total }) => {
      auditState.value = { phase: 'running', host, done, total, stop };
    });
    await refresh(); // reads the audit that was kept, and what is in use now
    auditState.value = { phase: 'done' };
  } catch (error) {
    const reason = stopping.signal.aborted ? 'Stopped before it was done.' : describeFailure(error);
    auditState.value = { phase: 'failed', reason };
  }
}

/** Sends the audit and reads its events from the body of the answer, since `EventSource` cannot send a POST. */
async function streamAudit(
  { host }: Pick<Space, 'host'>,
  signal: AbortSignal,
  onProgress: (progress: { done: number; total: number }) => void,
): Promise<Audit> {
  const response = await fetch(`${serviceUrl}/v1/audits`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...authorization() },
    body: JSON.stringify({ host, unallocated: true }),
    signal,
  });
  if (!response.ok || !response.body) {
    throw receiveRefusal(response.status, await response.json().catch(() => null));
  }
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  const reader = events.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error('The event stream ended without a result');
    const data = JSON.parse(value.data);
    if (value.event === 'progress') onProgress(data);
    if (value.event === 'problem') throw receiveRefusal(data.status, data);
    if (value.event === 'result') return data;
  }
}
