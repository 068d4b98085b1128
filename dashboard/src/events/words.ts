import { formatDuration } from '../duration.js';
import { type FieldChange, listChanges } from './field-changes.js';
import { type Actor, capitalise, type Event, nameActor, nameProgram, type Part } from './parts.js';

/** An event in words for people. */
export interface EventWords {
  sign: Sign;
  /** What has happened: a whole sentence without its full stop. */
  sentence: Part[];
  changes: FieldChange[];
  /** Who found it out, or with which program it was done; empty where the sentence says all. */
  by: Part[];
}

/** What kind of thing has happened, for a mark beside it. */
export type Sign = 'new' | 'changed' | 'ended' | 'up' | 'down' | 'told';

/** Says what an event tells. */
export function describeEvent(event: Event): EventWords {
  const { actor } = event.data;
  const { sign, what, isByItself = false } = (WORDS[event.type] ?? wordsOfUnknown)(event);
  return {
    sign,
    sentence: capitalise(isByItself ? what : [...nameActor(actor), ' ', ...what]),
    changes: listChanges(event),
    by: capitalise(isByItself ? finderOf(actor) : nameProgram(actor)),
  };
}

/** Who has found out what happened by itself; nothing where that was the service, as it mostly is. */
function finderOf(actor: Actor): Part[] {
  return actor.kind === 'service' ? [] : ['found by ', ...nameActor(actor), ' ', ...nameProgram(actor)];
}

interface Words {
  sign: Sign;
  /** Behind the name of the one who did it. */
  what: Part[];
  /** It has happened by itself, and the actor has only found it out. */
  isByItself?: boolean;
}

/** By the type of the event. A type that is missing here does not compile. */
const WORDS: Record<Event['type'], (event: Event) => Words> = {
  'allocation.created': (event) => ({ sign: 'new', what: ['allocated ', portOf(event), ' to ', ...holderOf(event)] }),
  'allocation.updated': (event) => ({
    sign: 'changed',
    what: ['changed the details of ', portOf(event), ', ', ...holderOf(event)],
  }),
  'allocation.released': (event) => ({ sign: 'ended', what: ['released ', portOf(event), ' of ', ...holderOf(event)] }),
  'reservation.created': (event) => ({
    sign: 'new',
    what: ['reserved ', portOf(event), ' for ', ...holderOf(event), ...untilOf(event)],
  }),
  'reservation.renewed': (event) => ({
    sign: 'changed',
    what: ['renewed the reservation of ', portOf(event), ' for ', ...holderOf(event), ...untilOf(event)],
  }),
  'reservation.cancelled': (event) => ({
    sign: 'ended',
    what: ['cancelled the reservation of ', portOf(event), ' for ', ...holderOf(event)],
  }),
  'reservation.claimed': (event) => ({
    sign: 'changed',
    what: ['claimed ', portOf(event), ', which was reserved for ', ...holderOf(event)],
  }),
  'reservation.expired': (event) => ({
    sign: 'ended',
    what: ['ended the reservation of ', portOf(event), ' for ', ...holderOf(event), ': it has expired'],
  }),
  'range.created': (event) => ({ sign: 'new', what: ['gave ', ...projectOf(event), ` the range ${rangeOf(event)}`] }),
  'range.changed': (event) => ({
    sign: 'changed',
    what: [`changed the range ${rangeOf(event)} of `, ...projectOf(event)],
  }),
  'range.deleted': (event) => ({
    sign: 'ended',
    what: [`deleted the range ${rangeOf(event)} of `, ...projectOf(event)],
  }),
  'service.up': (event) => ({
    sign: 'up',
    what: [...holderOf(event), ' came up on ', portOf(event)],
    isByItself: true,
  }),
  'service.down': (event) => ({
    sign: 'down',
    what: [...holderOf(event), ' went down: nothing listens on ', portOf(event), ' any more'],
    isByItself: true,
  }),
  'audit.finished': (event) => ({ sign: 'told', what: ['audited ', ...auditOf(event)] }),
  'api-key.created': (event) => ({ sign: 'new', what: ['made the key ', ...keyOf(event)] }),
  'api-key.changed': (event) => ({ sign: 'changed', what: ['changed the key ', ...keyOf(event)] }),
  'api-key.revoked': (event) => ({ sign: 'ended', what: ['revoked the key ', ...keyOf(event)] }),
  'environment.changed': (event) => ({ sign: 'changed', what: expiryOf(event) }),
  'environment.due': (event) => ({ sign: 'told', what: dueOf(event), isByItself: true }),
  'environment.released': (event) => ({
    sign: 'ended',
    what: [
      'released ',
      ...environmentOf(event),
      `: ${countPorts(event.data.environment?.ports)}`,
      ...spaceOf(event.data.environment),
    ],
  }),
  'excluded-port.added': (event) => ({ sign: 'new', what: ['excluded ', portOf(event), ': ', ...reasonOf(event)] }),
  'excluded-port.changed': (event) => ({ sign: 'changed', what: ['changed why ', portOf(event), ' is excluded'] }),
  'excluded-port.removed': (event) => ({
    sign: 'ended',
    what: ['took ', portOf(event), ' from the excluded ports'],
  }),
  'webhook.created': (event) => ({ sign: 'new', what: ['made the webhook ', ...webhookOf(event)] }),
  'webhook.changed': (event) => ({
    sign: 'changed',
    what: [`${webhookVerbOf(event)} the webhook `, ...webhookOf(event)],
  }),
  'webhook.deleted': (event) => ({ sign: 'ended', what: ['deleted the webhook ', ...webhookOf(event)] }),
};

/** A page that is open for days may hear from a service that is newer than it. */
const wordsOfUnknown = ({ type, subject }: Event): Words => ({
  sign: 'told',
  what: ['did what this page has no words for yet: ', { text: `${type}, ${subject}` }],
});

/** What an event has of an object that the contract does not describe in full. */
type Told = Record<string, unknown> | undefined;

const fieldOf = (told: Told, field: string): string => (told?.[field] == null ? '' : String(told[field]));

function portOf({ data: { allocation, reservation, excludedPort } }: Event): Part {
  const { port, host, protocol } = allocation ?? reservation ?? { port: Number(excludedPort?.port), ...USUAL_SPACE };
  return { port, host, protocol };
}

const USUAL_SPACE = { host: 'localhost', protocol: 'tcp' } as const;

/** `consilio/api`, and its environment where that is not the usual one. */
function holderOf({ data: { allocation, reservation } }: Event): Part[] {
  const project = { project: allocation?.project ?? reservation?.project ?? '' };
  const service = allocation?.service ?? reservation?.service ?? null;
  const environment = allocation?.environment ?? 'default';
  return [
    project,
    service === null ? '' : `/${service}`,
    environment === 'default' ? '' : ` (environment ${environment})`,
  ];
}

const untilOf = ({ data: { reservation } }: Event): Part[] =>
  reservation ? [' until ', { time: reservation.expiresAt }] : [];

const projectOf = ({ project, data }: Event): Part[] => [{ project: project ?? fieldOf(data.range, 'project') }];
const rangeOf = ({ data: { range } }: Event) => `${fieldOf(range, 'startPort')}–${fieldOf(range, 'endPort')}`;

function auditOf({ subject, data: { audit } }: Event): Part[] {
  const id = subject.slice(subject.indexOf('/') + 1);
  const [project, host] = [fieldOf(audit, 'project'), fieldOf(audit, 'host')];
  const scope: Part[] = project === '' ? ['everything'] : ['what ', { project }, ' holds'];
  return [
    ...scope,
    host === '' ? '' : ` on ${host}`,
    ': ',
    { view: 'audits', of: { audit: id }, name: countPorts(audit?.checkedPorts) },
    ` checked, ${fieldOf(audit, 'inUse')} in use, ${fieldOf(audit, 'notRunning')} not running`,
  ];
}

function keyOf({ data: { apiKey } }: Event): Part[] {
  const projects = Array.isArray(apiKey?.projects) ? apiKey.projects.join(', ') : '';
  const covers = projects === '' ? '' : ` of ${projects}`;
  return [{ view: 'keys', of: {}, name: fieldOf(apiKey, 'name') }, ` (${fieldOf(apiKey, 'role')}${covers})`];
}

function environmentOf({ project, data: { environment } }: Event): Part[] {
  return [`the environment ${fieldOf(environment, 'environment')} of `, { project: project ?? '' }];
}

function expiryOf(event: Event): Part[] {
  const { environment } = event.data;
  if (environment?.expiresAfterSeconds == null) return ['let ', ...environmentOf(event), ' never expire'];
  const after = formatDuration(Number(environment.expiresAfterSeconds));
  const then = environment.onExpiry === 'release' ? 'to be released then' : 'which is only told of';
  return ['let ', ...environmentOf(event), ` expire after ${after} without use, ${then}`];
}

function dueOf(event: Event): Part[] {
  const { environment } = event.data;
  const ports = countPorts(environment?.ports);
  const then = environment?.onExpiry === 'release' ? `${ports} will be released` : `its ${ports} stay held`;
  return [
    ...environmentOf(event),
    ' expires on ',
    { time: fieldOf(environment, 'expiresAt') },
    `, unless it is used: ${then}`,
  ];
}

/** Of what was released on one host and protocol only. */
function spaceOf(told: Told): Part[] {
  const [host, protocol] = [fieldOf(told, 'host'), fieldOf(told, 'protocol')];
  return [host === '' ? '' : ` on ${host}`, protocol === '' ? '' : `, ${protocol.toUpperCase()}`];
}

const reasonOf = ({ data: { excludedPort } }: Event): Part[] => [{ text: fieldOf(excludedPort, 'reason') }];

function webhookOf({ subject, data: { webhook } }: Event): Part[] {
  const id = subject.slice(subject.indexOf('/') + 1);
  return [{ view: 'webhooks', of: { webhook: id }, name: fieldOf(webhook, 'url') }];
}

function webhookVerbOf({ data: { changed = [], webhook } }: Event): string {
  if (!changed.includes('disabledAt')) return 'changed';
  return webhook?.disabledAt == null ? 'switched on' : 'switched off';
}

const whole = new Intl.NumberFormat();

const countPorts = (count: unknown): string =>
  `${whole.format(Number(count))} ${Number(count) === 1 ? 'port' : 'ports'}`;
