import { mayTake } from '../access/own-projects.js';
import { mayChange } from '../access/own-role.js';
import { FreeText } from '../parts/free-text.js';
import { openDialog } from '../place.js';
import type { AuditConflict } from '../registry/api.js';
import { findingsBySpot, ownerOf } from '../registry/audits.js';
import { nameSpot, type Spot } from '../registry/port-space.js';
import { heldBySpot, reservationsBySpot } from '../registry/store.js';

/** What the audits have found on a port, each with what can be done about it. */
export function Findings({ spot }: { spot: Spot }) {
  return (
    <>
      {findingsBySpot.value.get(nameSpot(spot))?.map((finding) => (
        <Finding key={finding.kind} finding={finding} spot={spot} />
      ))}
    </>
  );
}

function Finding({ finding, spot }: { finding: AuditConflict; spot: Spot }) {
  const actions = mayChange.value ? actionsOn(finding, spot) : [];
  return (
    <div class="warning">
      <p>
        <FreeText>{finding.detail}</FreeText> Found: <FreeText>{finding.actual}</FreeText>.
      </p>
      {actions.map(({ name, kind, about }) => (
        <button key={kind} type="button" class="link" onClick={() => openDialog(kind, about)}>
          {name}
        </button>
      ))}
    </div>
  );
}

interface Action {
  name: string;
  /** The dialog that asks for the rest. */
  kind: string;
  about: string;
}

function actionsOn({ kind, project }: AuditConflict, spot: Spot): Action[] {
  const name = nameSpot(spot);
  const held = heldBySpot.value.get(name);
  const reservation = reservationsBySpot.value.get(name);
  const owner = project ?? ownerOf(spot.port);
  const isTakeable = owner !== null && mayTake(owner, spot.host);
  switch (kind) {
    case 'squatter':
      return isTakeable ? [{ name: 'Allocate it to…', kind: 'adopt', about: name }] : [];
    case 'not-running':
    case 'foreign-listener':
      return held ? [{ name: 'Release it', kind: 'release', about: held.id }] : [];
    case 'duplicate-hostname':
      return held ? [{ name: 'Change the hostname', kind: 'describe', about: held.id }] : [];
    case 'reserved-in-use':
      return reservation && isTakeable ? [{ name: 'Claim it', kind: 'claim', about: reservation.id }] : [];
    default:
      return [];
  }
}
