import { computed, signal } from '@preact/signals';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import {
  type Audit,
  type AuditConflict,
  authorization,
  describeFailure,
  isProblem,
  Refusal,
  type Space,
  serviceUrl,
} from './api.js';
import { stillTrue } from './cells.js';
import { refresh, registry, space } from './registry.js';

export type AuditState =
  | { phase: 'none' }
  | { phase: 'running'; host: string; done: number; total: number; stop(): void }
  | { phase: 'done'; host: string; audit: Audit }
  | { phase: 'failed'; reason: string };

export const auditState = signal<AuditState>({ phase: 'none' });

/** What the last audit found and nothing has changed since. */
export const findings = computed<AuditConflict[]>(() => {
  const state = auditState.value;
  const current = registry.value;
  if (state.phase !== 'done' || !current) return [];
  return state.audit.conflicts.filter((finding) => stillTrue(finding, current));
});

/** Probes every port of the map, those that nobody holds too; tells how far it is. */
export async function runAudit(): Promise<void> {
  const { host } = space.value;
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  auditState.value = { phase: 'running', host, done: 0, total: 0, stop };
  try {
    const audit = await streamAudit({ host }, stopping.signal, ({ done, total }) => {
      auditState.value = { phase: 'running', host, done, total, stop };
    });
    await refresh(); // the probes changed what is in use: the findings and the map appear together
    auditState.value = { phase: 'done', host, audit };
  } catch (error) {
    const reason = stopping.signal.aborted ? 'Stopped before it was done.' : describeFailure(error);
    auditState.value = { phase: 'failed', reason };
  }
}

/** `EventSource` can only GET, so the answer's body is read as it comes. */
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
    const body: unknown = await response.json().catch(() => null);
    throw new Refusal(response.status, isProblem(body) ? body : null);
  }
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  const reader = events.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error('The event stream ended without a result');
    const data = JSON.parse(value.data);
    if (value.event === 'progress') onProgress(data);
    if (value.event === 'problem') throw new Refusal(data.status, data);
    if (value.event === 'result') return data;
  }
}
