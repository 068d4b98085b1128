import { isAdmin, mayChange, mayManageKeys } from '../access/own-role.js';
import { readAgain } from '../feed/feed.js';
import { plural } from '../format.js';
import { addressOfView, go, goTo, openDialog } from '../place.js';
import { apiKey, serviceUrl } from '../registry/api.js';
import { chosen, host, hosts, project } from '../registry/filters.js';
import { projects } from '../registry/projects.js';
import { type Row, rows } from '../registry/rows.js';
import { runAudit } from '../registry/run-audit.js';
import { STATES } from '../registry/states.js';
import { forgetKey } from '../shell/forget-key.js';
import { offeredViews } from '../shell/views.js';
import type { Command } from './command.js';
import { isSlashOn, switchSlash } from './open.js';
import { commandsOfNumber, commandsOfSpot } from './port-commands.js';

/**
 * Everything that the palette offers while these words are typed, in the order in which equally good ones are shown.
 */
export function commandsFor(words: readonly string[]): Command[] {
  const digits = words.find((word) => /^\d{1,5}$/.test(word));
  const number = digits === undefined ? null : Number(digits);
  const all = [
    ...rows.value.filter(({ port }) => port === number).map(commandOfRow),
    ...(number === null ? [] : commandsOfNumber(number)),
    ...(chosen.value === null ? [] : commandsOfSpot(chosen.value)),
    ...actions(),
    ...views(),
    ...projectCommands(),
    ...hostCommands(),
    // There may be thousands: they are offered only to who looks for one.
    ...(words.length === 0 ? [] : rows.value.map(commandOfRow)),
  ];
  const seen = new Set<string>();
  return all.filter(({ id }) => !seen.has(id) && seen.add(id));
}

/** Shows a view, and lets the keyboard go on from there. */
function show(address: string): void {
  goTo(address);
  document.getElementById('content')?.focus();
}

function action(name: string, keywords: string, run: () => void): Command {
  return { id: name, group: 'Actions', name, keywords, run };
}

/** Those that the key of this page may do. */
function actions(): Command[] {
  const slash = isSlashOn.value ? 'Do not open this by /' : 'Open this by / too';
  return [
    ...(mayChange.value ? OF_PROJECTS : []),
    ...(isAdmin.value ? OF_ADMINS : []),
    ...(mayManageKeys.value ? [NEW_KEY] : []),
    ...OF_ALL,
    action(slash, 'keyboard shortcut slash switch off on', switchSlash),
    ...(apiKey.value === null ? [] : [action('Forget the key', 'log sign out', forgetKey)]),
  ];
}

const OF_PROJECTS: readonly Command[] = [
  action('Get a port', 'new allocate allocation service number', () => openDialog('get')),
  action('Get a stack', 'new environment allocate services together compose', () =>
    openDialog('get-stack', project.value),
  ),
  action('Reserve a port', 'hold keep reservation', () => openDialog('reserve')),
  action('Run an audit', 'check probe findings now', () => {
    show(addressOfView('findings'));
    void runAudit(host.value === '' ? {} : { host: host.value });
  }),
  action('New webhook', 'create url events deliveries', () => openDialog('new-webhook')),
];

const OF_ADMINS: readonly Command[] = [
  action('New project', 'create add range', () => openDialog('new-project')),
  action('Exclude a port', 'never give out forbid block', () => openDialog('exclude')),
];

const NEW_KEY = action('New key', 'create api access role secret', () => openDialog('new-key'));

const OF_ALL: readonly Command[] = [
  action('Read everything again', 'reload refresh', readAgain),
  action('Open the contract', 'docs openapi swagger rest api curl', () => location.assign(`${serviceUrl}/docs/`)),
];

/** By the id of a view, what else it is looked for by. */
const KEYWORDS: Record<string, string> = {
  services: 'table list ports allocations home',
  map: 'grid cells overview',
  projects: 'ranges fill utilization',
  environments: 'stacks branches worktrees stages copies',
  reservations: 'reserved holds expiry renew claim',
  findings: 'conflicts squatters problems alarms not running',
  audits: 'checks probes',
  activity: 'events history log who did what',
  moment: 'history what was held then released ago',
  import: 'adopt what listens ss lsof',
  exports: 'dotenv env cloudflared prometheus traefik consul download',
  excluded: 'forbidden never given out',
  keys: 'api access roles',
  webhooks: 'deliveries urls',
  cloudflare: 'tunnel dns hostnames plan apply',
};

function views(): Command[] {
  return offeredViews.value.map(({ id, name }) => ({
    id: `view ${id}`,
    group: 'Views',
    name,
    keywords: KEYWORDS[id] ?? '',
    run: () => show(addressOfView(id)),
  }));
}

function projectCommands(): Command[] {
  return projects.value.map(({ name, ranges, held, available }) => ({
    id: `project ${name}`,
    group: 'Projects',
    name,
    keywords: `project ${ranges.map(({ startPort, description }) => `${startPort} ${description ?? ''}`).join(' ')}`,
    note: `${plural(held, 'port')} held, ${available} free`,
    run: () => show(addressOfView('project', { project: name })),
  }));
}

function hostCommands(): Command[] {
  if (hosts.value.length < 2 && host.value === '') return [];
  const all = { id: 'host', group: 'Hosts', name: 'All hosts', keywords: 'host filter', run: () => go({ host: null }) };
  const single = hosts.value.map((name) => ({
    id: `host ${name}`,
    group: 'Hosts',
    name: `Only ${name}`,
    keywords: 'host filter',
    note: 'where a view has hosts to choose',
    run: () => go({ host: name }),
  }));
  return host.value === '' ? single : [all, ...single];
}

const commandOfRow = (row: Row): Command => {
  const known = ofRows.get(row) ?? makeCommandOfRow(row);
  ofRows.set(row, known);
  return known;
};
const ofRows = new WeakMap<Row, Command>();

function makeCommandOfRow(row: Row): Command {
  const { spot, port, project, service, environment, host, protocol, state, listener } = row;
  const { description, cloudflareHostname, serviceType } = row.held ?? {};
  const { reservedBy, reason } = row.reservation ?? {};
  const place = [
    environment === 'default' ? null : environment,
    host === 'localhost' ? null : host,
    protocol === 'tcp' ? null : 'UDP',
    STATES[state].name.toLowerCase(),
  ];
  const words = [listener?.process, serviceType, cloudflareHostname, description, reservedBy, reason];
  return {
    id: `port ${spot}`,
    group: 'Services',
    name: `${port} ${project}/${service ?? '…'}`,
    keywords: [...place, ...words].filter(Boolean).join(' '),
    note: place.filter(Boolean).join(', '),
    run: () => go({ port: spot }),
  };
}
