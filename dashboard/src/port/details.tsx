import { useEffect } from 'preact/hooks';
import { isAdmin } from '../access/own-role.js';
import { FreeText } from '../parts/free-text.js';
import { PortNumber } from '../parts/links.js';
import { useLoaded } from '../parts/loaded.js';
import { dialog, openDialog } from '../place.js';
import { answerOf, api, type Listener, type Port } from '../registry/api.js';
import { nameSpot, type Spot } from '../registry/port-space.js';
import { stateOf } from '../registry/states.js';
import { coolingBySpot, excluded, heldBySpot, listeningBySpot, ranges, reservationsBySpot } from '../registry/store.js';
import { Copies } from './copies.js';
import { Findings } from './findings.js';
import { HealthChecks } from './health-checks.js';
import { PortHistory } from './history.js';
import { HeldPort, ReservedPort } from './holder.js';
import { StateOfPort } from './state.js';
import { UnheldPort } from './unheld.js';

/**
 * What is known of a port. Who has it is taken from the lists that the feed keeps true, so that it is there at once;
 * the service is asked for what is in no list.
 */
export function Details({ spot }: { spot: Spot }) {
  const name = nameSpot(spot);
  const { data, error } = usePort(spot);
  useKeptFocus(spot);
  const held = heldBySpot.value.get(name);
  const reservation = reservationsBySpot.value.get(name);
  const range = ranges.value.find(({ startPort, endPort }) => startPort <= spot.port && spot.port <= endPort);
  const metadata = data?.allocation && data.allocation.id === held?.id ? data.allocation.metadata : null;
  return (
    <>
      {/* biome-ignore lint/a11y/noAutofocus: the dialog gives it the focus when it opens, and not the button before it */}
      <h2 id="details" tabIndex={-1} autoFocus>
        <PortNumber spot={spot} />{' '}
        <span class="quiet">
          {spot.host} {spot.protocol.toUpperCase()}
        </span>
      </h2>
      <div role="alert">{error !== null && <p class="refusal">{error}</p>}</div>
      <StateOfPort spot={spot} range={range ?? null} told={data?.state ?? null} />
      <Exclusion port={spot.port} />
      {data?.listener && <Listening listener={data.listener} />}
      <Findings spot={spot} />
      {held && <HeldPort held={held} metadata={metadata} />}
      {!held && reservation && <ReservedPort reservation={reservation} />}
      {!held && !reservation && range && <UnheldPort spot={spot} project={range.project} />}
      {held && (
        <section aria-labelledby="copies">
          <h3 id="copies">Copy</h3>
          <Copies held={held} />
        </section>
      )}
      {held?.protocol === 'tcp' && <HealthChecks id={held.id} />}
      {stateOf(spot) !== 'unknown' && <PortHistory spot={spot} />}
    </>
  );
}

/** A button goes away with what it was for, as Release does with the allocation. The focus then goes to the heading. */
function useKeptFocus(spot: Spot): void {
  const name = nameSpot(spot);
  const isDialogOpen = dialog.value !== '';
  useEffect(() => {
    if (document.activeElement === document.body) document.getElementById('details')?.focus({ preventScroll: true });
  }, [heldBySpot.value.get(name)?.id, reservationsBySpot.value.get(name)?.id, isDialogOpen]);
}

/** Asks the service about a port, and asks again when the feed has told of a change of it. */
function usePort({ port, host, protocol }: Spot): { data: Port | null; error: string | null } {
  const name = nameSpot({ port, host, protocol });
  const held = heldBySpot.value.get(name);
  const reservation = reservationsBySpot.value.get(name);
  const listener = listeningBySpot.value.get(name);
  return useLoaded(
    () => answerOf(api.GET('/v1/ports/{port}', { params: { path: { port }, query: { host, protocol } } })),
    [
      held?.id,
      held?.updatedAt,
      held?.status,
      reservation?.id,
      listener?.pid,
      listener?.process,
      coolingBySpot.value.has(name),
      excluded.value.has(port),
    ],
  );
}

/** Also shown of a port that is held: after its release, nobody is given it unasked. */
function Exclusion({ port }: { port: number }) {
  const reason = excluded.value.get(port)?.reason;
  if (reason === undefined) return null;
  return (
    <div class="note">
      <p>
        Excluded: nobody is given it unasked. The reason: <FreeText>{reason}</FreeText>
      </p>
      {isAdmin.value && (
        <>
          <button type="button" class="link" onClick={() => openDialog('exclude', String(port))}>
            Change the reason
          </button>
          <button type="button" class="link" onClick={() => openDialog('stop-excluding', String(port))}>
            Stop excluding it
          </button>
        </>
      )}
    </div>
  );
}

function Listening({ listener: { process, pid, path, address } }: { listener: Listener }) {
  return (
    <p class="listener">
      On it listens {process === null ? 'a process that cannot be seen from here' : <FreeText>{process}</FreeText>}
      {pid !== null && ` (pid ${pid})`}
      {path !== null && (
        <>
          {' '}
          in <FreeText>{path}</FreeText>
        </>
      )}
      {address !== '*' && (
        <>
          , on <FreeText>{address}</FreeText>
        </>
      )}
      .
    </p>
  );
}
