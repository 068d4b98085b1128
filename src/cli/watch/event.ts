import type { Event } from '../../schemas/events/event.js';

/** What placeholders are replaced by. Undefined where an event has no such thing. */
type Values = Partial<Record<'type' | 'id' | 'project' | 'service' | 'environment' | 'port', string>>;

/** Names and numbers. Nothing else is put into a command line, so that no text of others is executed by a shell. */
const SAFE = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const NAMES = ['type', 'id', 'project', 'service', 'environment', 'port'] as const satisfies (keyof Values)[];
/** `${port}` is a variable of the shell. */
const PLACEHOLDER = new RegExp(`(?<!\\$)\\{(${NAMES.join('|')})\\}`, 'g');

export function valuesOf({ type, id, project, data }: Event): Values {
  const { allocation, reservation, environment, excludedPort } = data;
  const values = {
    type,
    id,
    project,
    service: allocation?.service ?? reservation?.service,
    environment: allocation?.environment ?? environment?.environment,
    port: allocation?.port ?? reservation?.port ?? excludedPort?.port,
  };
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value == null ? [] : [[name, `${value}`]])),
  );
}

export const hasPlaceholders = (command: string): boolean => command.search(PLACEHOLDER) >= 0;

/** @returns the command, or the name of a placeholder for which the event has nothing */
export function fillCommand(command: string, event: Event): { command: string } | { missing: string } {
  const values = valuesOf(event);
  const names = [...command.matchAll(PLACEHOLDER)].map(([, name]) => name as keyof Values);
  const missing = names.find((name) => !SAFE.test(values[name] ?? ''));
  if (missing !== undefined) return { missing };
  return { command: command.replace(PLACEHOLDER, (_, name: keyof Values) => values[name] as string) };
}

const TYPE_WIDTH = 'reservation.cancelled'.length;

/** A line for people: when, what, of which service, and who did it. */
export function formatEvent(event: Event): string {
  const { project, service, environment, port } = valuesOf(event);
  const { changed = [], apiKey, range } = event.data;
  const place = [project, service].filter(Boolean).join('/');
  const what = [
    port ?? (range ? `${range.startPort}–${range.endPort}` : ''),
    place || String(apiKey?.name ?? (port === undefined ? event.subject : '')),
    environment === undefined || environment === 'default' ? '' : `(${environment})`,
    changed.length > 0 ? `(${changed.join(', ')})` : '',
  ];
  return [formatTime(event.time), event.type.padEnd(TYPE_WIDTH), ...what, `by ${formatActor(event)}`]
    .filter(Boolean)
    .join(' ');
}

/** In the time zone of the user: 2026-01-31 13:05:00. */
const formatTime = (time: string) => new Date(time).toLocaleString('sv-SE');

function formatActor({ data: { actor } }: Event): string {
  const { kind, name, client } = actor;
  if (kind === 'service') return 'the service';
  const who = name ?? (kind === 'key' ? 'a key' : '');
  if (who === '') return client ?? 'somebody without a key';
  return client === null ? who : `${who} (${client})`;
}
