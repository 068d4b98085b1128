import type { ComponentChildren } from 'preact';
import { formatCount, plural } from '../../format.js';
import { go } from '../../place.js';
import type { AuditConflict } from '../../registry/api.js';
import { findings, hasLookedFor, ownerOf } from '../../registry/audits.js';
import { crowdedProjects, host, project, protocol, space, state } from '../../registry/filters.js';
import { nameSpot, type Space } from '../../registry/port-space.js';
import { fullnessOf, projects } from '../../registry/projects.js';
import { type Row, rows } from '../../registry/rows.js';
import { isConflict } from '../../registry/states.js';
import { audits } from '../../registry/store.js';

/** The four figures that people come here for. Each is a button that limits the table to what it counts. */
export function Tiles() {
  const held = rows.value.filter((row) => row.held !== null && isInScope(row));
  return (
    <section class="glance" aria-label="At a glance">
      <HeldTile held={held} />
      <FullTile />
      <StoppedTile held={held} />
      <ConflictTile held={held} />
    </section>
  );
}

/** The figures are of the project, the host and the protocol that are chosen, or else of all. */
export const isInScope = (at: Space & { project: string | null }) =>
  (project.value === '' || at.project === project.value) &&
  (host.value === '' || at.host === host.value) &&
  (protocol.value === '' || at.protocol === protocol.value);

function Scope() {
  const where = host.value === '' ? 'on all hosts' : `on ${host.value}`;
  return (
    <>
      {project.value} {where}
      {protocol.value !== '' && `, ${protocol.value.toUpperCase()}`}:{' '}
    </>
  );
}

const count = (held: readonly Row[], wanted: Row['state']) => held.filter((row) => row.state === wanted).length;

/** Of what is held: how much was not checked yet; null where nothing was, so that there is nothing to be said of it. */
function uncheckedOf(held: readonly Row[]): number | null {
  const unchecked = count(held, 'unchecked');
  const probed = held.filter((row) => row.protocol === 'tcp').length;
  return probed > 0 && unchecked === probed ? null : unchecked;
}

function HeldTile({ held }: { held: readonly Row[] }) {
  const unchecked = uncheckedOf(held);
  return (
    <Tile name="Held" value={formatCount(held.length)} filter="held">
      <Scope />
      {unchecked === null ? 'not checked yet' : `${formatCount(count(held, 'in_use'))} in use`}
      {unchecked !== null && unchecked > 0 && `, ${formatCount(unchecked)} not checked yet`}
    </Tile>
  );
}

function FullTile() {
  const crowded = projects.value.filter(
    ({ name }) => crowdedProjects.value.has(name) && (project.value === '' || name === project.value),
  );
  const isFull = (project: (typeof crowded)[number]) => fullnessOf(project) === 'full';
  const names = [...crowded.filter(isFull).map(({ name }) => `${name} (full)`), ...named(crowded, isFull)];
  return (
    <Tile name="Full or nearly full" value={formatCount(crowded.length)} filter="full" bad={crowded.some(isFull)}>
      on {space.value.host}, {space.value.protocol.toUpperCase()}:{' '}
      {crowded.length === 0 ? `${project.value || 'every project'} has room` : names.join(', ')}
    </Tile>
  );
}

const named = <T extends { name: string }>(all: readonly T[], isLeftOut: (one: T) => boolean) =>
  all.filter((one) => !isLeftOut(one)).map(({ name }) => name);

function StoppedTile({ held }: { held: readonly Row[] }) {
  const unchecked = uncheckedOf(held);
  const isUdp = protocol.value === 'udp';
  const stopped = held.filter((row) => row.state === 'stopped');
  const owners = [...new Set(stopped.map(({ project }) => project))];
  return (
    <Tile name="Stopped" value={unchecked === null || isUdp ? '–' : formatCount(stopped.length)} filter="stopped">
      <Scope />
      {isUdp && 'UDP is not probed'}
      {!isUdp && unchecked === null && 'not checked yet'}
      {!isUdp && unchecked !== null && (owners.join(', ') || 'nothing that ran before is missing')}
    </Tile>
  );
}

function ConflictTile({ held }: { held: readonly Row[] }) {
  const isChecked = audits.value.some(
    ({ covers, host: audited }) =>
      (project.value === '' || (covers?.includes(project.value) ?? true)) &&
      (host.value === '' || (audited ?? host.value) === host.value),
  );
  const found = findings.value.filter(
    (finding) => isConflict(finding) && isInScope({ ...finding, project: finding.project ?? ownerOf(finding.port) }),
  );
  const ports = new Set(found.map(nameOfFinding)).size;
  return (
    <Tile name="In conflict" value={isChecked ? formatCount(ports) : '–'} filter="conflict" bad={ports > 0}>
      <Scope />
      {isChecked ? describeConflicts(found, held) : 'not checked yet'}
    </Tile>
  );
}

const nameOfFinding = (one: AuditConflict) =>
  one.port === null ? `${one.kind} ${one.host}` : nameSpot({ ...one, port: one.port });

function describeConflicts(found: readonly AuditConflict[], held: readonly Row[]): string {
  const squatters = found.filter(({ kind }) => kind === 'squatter').length;
  if (squatters > 0) return `${plural(squatters, 'port')} with an uninvited listener`;
  if (found.length > 0) return 'someone else listens, or two have one hostname';
  return areFreePortsChecked(held) ? 'nothing listens uninvited' : 'only ports that are held were checked';
}

/** Whether some audit has looked for uninvited listeners wherever a project holds something. */
function areFreePortsChecked(held: readonly Row[]): boolean {
  const places = new Map(held.map((row) => [`${row.project} ${row.host}`, row]));
  return [...places.values()].every(({ project, host }) =>
    audits.value.some((audit) => hasLookedFor(audit, 'squatter', project, host)),
  );
}

interface TileProps {
  name: string;
  value: string;
  filter: string;
  bad?: boolean;
  children: ComponentChildren;
}

function Tile({ name, value, filter, bad = false, children }: TileProps) {
  const isPressed = state.value === filter;
  return (
    <button
      type="button"
      class={bad ? 'tile bad' : 'tile'}
      aria-pressed={isPressed}
      onClick={() => go({ state: isPressed ? null : filter })}
    >
      <span class="tile-name">{name}</span>
      <span class="tile-value">{value}</span>
      <span class="tile-more">{children}</span>
    </button>
  );
}
