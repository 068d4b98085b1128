import { mayChange } from '../../access/own-role.js';
import { plural } from '../../format.js';
import { Link, PortLink } from '../../parts/links.js';
import { addressOfView, openDialog } from '../../place.js';
import type { AuditConflict } from '../../registry/api.js';
import { findings, ownerOf } from '../../registry/audits.js';
import { project, query, shownRows, space, state } from '../../registry/filters.js';
import { nameSpot, readSpot } from '../../registry/port-space.js';
import { rows } from '../../registry/rows.js';
import { isConflict, STATES, stateOf } from '../../registry/states.js';
import { heldBySpot, reservationsBySpot } from '../../registry/store.js';
import { showEverything } from './filter-bar.js';
import { isInScope } from './tiles.js';

/** Of a number that was typed and that nobody has: whose range it is in, and what can be told of it. */
export function TypedPort() {
  const typed = /^\d+$/.test(query.value.trim()) ? readSpot(query.value.trim()) : null;
  if (typed === null) return null;
  const spot = { ...space.value, port: typed.port };
  const name = nameSpot(spot);
  if (heldBySpot.value.has(name) || reservationsBySpot.value.has(name)) return null;
  const owner = ownerOf(spot.port);
  const state = stateOf(spot);
  return (
    <p class="panel" role="status">
      <PortLink spot={spot} class="number">
        {spot.port}
      </PortLink>{' '}
      {owner === null && 'is in no range: the registry neither hands it out nor watches it.'}
      {owner !== null && state === 'unknown' && `is in the range of ${owner}, which this key does not cover.`}
      {owner !== null &&
        state !== 'unknown' &&
        `is ${STATES[state].name.toLowerCase()} on ${spot.host}, ${spot.protocol.toUpperCase()}, in the range of ${owner}.`}
    </p>
  );
}

/** Conflicts on numbers that nobody has, which are not in the table. */
export function ConflictsElsewhere() {
  if (state.value !== 'conflict') return null;
  const isListed = ({ port, ...space }: AuditConflict) => {
    if (port === null) return false;
    const name = nameSpot({ ...space, port });
    return heldBySpot.value.has(name) || reservationsBySpot.value.has(name);
  };
  const isShown = (finding: AuditConflict) =>
    isInScope({ ...finding, project: finding.project ?? ownerOf(finding.port) }) && !isListed(finding);
  const others = findings.value.filter((finding) => isConflict(finding) && isShown(finding)).length;
  if (others === 0) return null;
  return (
    <p class="panel">
      {plural(others, 'conflict')} more {others === 1 ? 'is' : 'are'} on ports that nobody has.{' '}
      <Link to={addressOfView('findings', { project: project.value })}>Show all findings</Link>
    </p>
  );
}

/** In place of a table without rows. */
export function NothingShown() {
  if (shownRows.value.length > 0) return null;
  return rows.value.length === 0 ? (
    <section class="empty">
      <p>Nothing is held yet. A service that asks for a port gets the lowest free one of its project, and keeps it.</p>
      {mayChange.value && (
        <p>
          <button type="button" class="button primary" onClick={() => openDialog('get')}>
            Get a port
          </button>
        </p>
      )}
      <p class="quiet">
        Or in the folder of a service: <code>pa port web</code>
      </p>
    </section>
  ) : (
    <section class="empty">
      <p>Nothing that is held or reserved is like this. Look for less, or for all of it.</p>
      <p>
        <button type="button" class="button" onClick={showEverything}>
          Show everything
        </button>
      </p>
    </section>
  );
}
