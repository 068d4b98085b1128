import { useState } from 'preact/hooks';
import { mayTake } from '../../access/own-projects.js';
import { isAdmin, mayChange } from '../../access/own-role.js';
import { tell } from '../../notices.js';
import { Age } from '../../parts/age.js';
import { Ask } from '../../parts/ask.js';
import { FreeText } from '../../parts/free-text.js';
import { PortLink, ProjectLink, urlOf } from '../../parts/links.js';
import { probe } from '../../registry/actions.js';
import { describeFailure, type HealthCheck } from '../../registry/api.js';
import { nameSpot, type Spot } from '../../registry/port-space.js';
import { heldBySpot, reservationsBySpot } from '../../registry/store.js';
import { Checked } from './checked.js';
import type { Found } from './found.js';
import { isSelected, select } from './selection.js';

/** Where a finding is in a list of which not all are in the document, and what measures how high it is. */
interface Place {
  index: number;
  count: number;
  measure(item: HTMLLIElement | null): void;
}

interface Props {
  found: Found;
  isSelectable: boolean;
  place?: Place;
}

/** One finding: where, whose, what was found, when, and what can be done about it. */
export function Finding({ found, isSelectable, place }: Props) {
  const { finding, audit, spot, project } = found;
  const { host, protocol, service, environment } = finding;
  return (
    <li
      class="finding"
      {...(place && {
        ref: place.measure,
        'data-index': place.index,
        'aria-posinset': place.index + 1,
        'aria-setsize': place.count,
      })}
    >
      {isSelectable && (
        <input
          type="checkbox"
          aria-label={`Select ${spot?.port} on ${host}`}
          checked={isSelected(found)}
          onChange={({ currentTarget }) => select([found], currentTarget.checked)}
        />
      )}
      <p class="finding-where">
        {spot !== null && (
          <PortLink spot={spot} class="number">
            {spot.port}
          </PortLink>
        )}{' '}
        <span class="quiet">
          {host} {spot !== null && protocol.toUpperCase()}
        </span>
      </p>
      <div class="finding-what">
        <p>
          {project !== null && <ProjectLink project={project} />}
          {service !== null && <strong>/{service}</strong>}
          {environment !== null && environment !== 'default' && <span class="quiet"> {environment}</span>}{' '}
          <What found={found} />
        </p>
        <p class="quiet">
          <LastSeen spot={spot} />
          Checked <Checked audit={audit} />
        </p>
      </div>
      <div class="buttons">
        <Actions found={found} />
      </div>
    </li>
  );
}

/** What the audit found there. The kinds whose group says all that there is to say have nothing of their own. */
function What({ found: { finding } }: { found: Found }) {
  const { kind, actual, detail } = finding;
  if (kind === 'not-running' && actual === 'nothing listens') return null;
  const isAboutListener = kind === 'squatter' || kind === 'reserved-in-use' || kind === 'foreign-listener';
  return (
    <span class="finding-found">
      {isAboutListener && 'Found: '}
      <FreeText>{isAboutListener ? actual : detail}</FreeText>
    </span>
  );
}

function LastSeen({ spot }: { spot: Spot | null }) {
  const held = spot && heldBySpot.value.get(nameSpot(spot));
  if (!held) return null;
  return (
    <>{held.lastUsedAt === null ? 'Never seen running. ' : <>Last seen running {<Age at={held.lastUsedAt} />}. </>}</>
  );
}

function Actions({ found: { finding, spot, project } }: { found: Found }) {
  if (spot === null) return null;
  const held = heldBySpot.value.get(nameSpot(spot));
  const reservation = reservationsBySpot.value.get(nameSpot(spot));
  const url = urlOf(spot);
  const isTakeable = project !== null && mayTake(project, spot.host);
  switch (finding.kind) {
    case 'squatter':
      return (
        <>
          {isTakeable && <AskAbout kind="adopt" about={nameSpot(spot)} spot={spot} name="Allocate to…" />}
          {isAdmin.value && <AskAbout kind="exclude" about={String(spot.port)} spot={spot} name="Exclude" />}
          {url !== null && (
            <a class="button" href={url} target="_blank" rel="noreferrer" aria-label={`Open ${url}`}>
              Open
            </a>
          )}
        </>
      );
    case 'reserved-in-use':
      return reservation ? (
        <>
          {isTakeable && <AskAbout kind="claim" about={reservation.id} spot={spot} name="Claim" />}
          <AskAbout kind="cancel" about={reservation.id} spot={spot} name="Cancel" isDangerous />
        </>
      ) : null;
    case 'duplicate-hostname':
      return held ? <AskAbout kind="describe" about={held.id} spot={spot} name="Describe" /> : null;
    case 'foreign-listener':
      return (
        <>
          <PortLink spot={spot} class="button">
            Details
          </PortLink>
          {held && <AskAbout kind="release" about={held.id} spot={spot} name="Release" isDangerous />}
        </>
      );
    case 'not-running':
      return held ? (
        <>
          <ProbeAgain id={held.id} port={spot.port} />
          <AskAbout kind="release" about={held.id} spot={spot} name="Release" isDangerous />
        </>
      ) : null;
    default:
      return held ? <ProbeAgain id={held.id} port={spot.port} /> : null;
  }
}

/** Opens a dialog about what was found, for keys that may change something. */
function AskAbout({ spot, ...ask }: { kind: string; about: string; spot: Spot; name: string; isDangerous?: boolean }) {
  return mayChange.value ? <Ask {...ask} label={`${ask.name} ${spot.port}`} /> : null;
}

const OUTCOMES: Record<HealthCheck['outcome'], (port: number) => string> = {
  open: (port) => `Port ${port} answers now.`,
  refused: (port) => `Nothing listens on port ${port}.`,
  timeout: (port) => `Port ${port} did not answer in time.`,
  unreachable: (port) => `The host of port ${port} is not reached.`,
};

function ProbeAgain({ id, port }: { id: string; port: number }) {
  const [isBusy, setBusy] = useState(false);
  if (!mayChange.value) return null;
  const probeAgain = async () => {
    if (isBusy) return;
    setBusy(true);
    try {
      const { outcome } = await probe(id);
      tell(OUTCOMES[outcome]?.(port) ?? `Port ${port}: ${outcome}.`);
    } catch (error) {
      tell(describeFailure(error));
    }
    setBusy(false);
  };
  return (
    <button
      type="button"
      class="button"
      aria-disabled={isBusy}
      aria-label={`Probe again ${port}`}
      onClick={() => void probeAgain()}
    >
      Probe again
    </button>
  );
}
