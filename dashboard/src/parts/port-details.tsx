import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { openDialog } from '../dialogs/open.js';
import { formatAge, formatMoment } from '../format.js';
import {
  type Allocation,
  type AuditConflict,
  answerOf,
  api,
  type Listener,
  type Port,
  type Reservation,
} from '../registry/api.js';
import { type Cell, STATES } from '../registry/cells.js';
import { registry, space } from '../registry/registry.js';
import { selected } from '../registry/view.js';
import { FreeText } from './free-text.js';
import { HealthChecks, PortHistory } from './history.js';
import { useLoaded } from './loaded.js';
import { findCell } from './results.js';

/** On screens of this width the details are beside the map; on narrower ones they cover it. As in styles/layout.css. */
const WIDE_SCREEN = '(min-width: 70rem)';

/** Everything about the selected port. */
export function PortDetails() {
  const selection = selected.value;
  const dialog = useRef<HTMLDialogElement>(null);
  const opener = useRef<Element | null>(null);
  const isOpen = selection !== null;

  useEffect(() => {
    const element = dialog.current;
    if (!element || !isOpen) return;
    opener.current = document.activeElement;
    if (matchMedia(WIDE_SCREEN).matches) element.open = true;
    else element.showModal();
    return () => {
      element.close();
      const cell = document.querySelector('.cell[aria-selected="true"]');
      const back = opener.current?.isConnected && opener.current !== document.body ? opener.current : cell;
      if (back instanceof HTMLElement) back.focus();
    };
  }, [isOpen]);
  useEffect(() => {
    if (selection?.focus) dialog.current?.querySelector('h2')?.focus();
    dialog.current?.scrollTo({ top: 0 });
  }, [selection]);

  if (!selection) {
    return <p class="hint details-hint">Choose a port of the map: by a click, or with the arrow keys and Enter.</p>;
  }
  const close = () => (selected.value = null);
  return (
    <dialog
      ref={dialog}
      class="details"
      aria-labelledby="details"
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onKeyDown={({ key }) => key === 'Escape' && close()}
    >
      <button type="button" class="close" aria-label="Close the details" onClick={close}>
        <span aria-hidden="true" />
      </button>
      <Details key={`${space.value.host} ${space.value.protocol} ${selection.port}`} port={selection.port} />
    </dialog>
  );
}

function Details({ port }: { port: number }) {
  const loaded = useLoaded(
    () => answerOf(api.GET('/v1/ports/{port}', { params: { path: { port }, query: space.value } })),
    [registry.value],
  );
  const cell = findCell(port, space.value);
  const details = loaded.data;
  const excluded = registry.value?.excluded.get(port);
  return (
    <>
      <h2 id="details" tabIndex={-1}>
        <span class="number">{port}</span>
        <span class="quiet">
          {space.value.host} {space.value.protocol.toUpperCase()}
        </span>
      </h2>
      {loaded.error !== null && <p class="refusal">{loaded.error}</p>}
      {details && (
        <>
          <State details={details} cell={cell} />
          {excluded !== undefined && <Excluded reason={excluded} />}
          {details.listener && <Listening listener={details.listener} />}
          {cell?.findings.map((finding) => (
            <Warning key={finding.kind} finding={finding} />
          ))}
          {details.allocation && <Held allocation={details.allocation} />}
          {details.reservation && <Reserved reservation={details.reservation} />}
          {details.range && <FreePortActions details={details} project={details.range.project} />}
          {details.allocation?.protocol === 'tcp' && <HealthChecks allocation={details.allocation} />}
          <PortHistory port={port} />
        </>
      )}
    </>
  );
}

function State({ details, cell }: { details: Port; cell: Cell | undefined }) {
  const { range } = details;
  if (!range || details.state === 'unmanaged') {
    return <p>No range covers this number: the registry neither hands it out nor watches it.</p>;
  }
  const { state: told } = details;
  const state = cell?.state ?? (told === 'squatted' ? 'conflict' : told); // the map may not have been loaded yet
  return (
    <p class="state">
      <span class={`cell ${state}`} aria-hidden="true" /> <strong>{STATES[state].name}</strong>
      <span class="quiet">
        {range.project}, {range.startPort}–{range.endPort}
      </span>
    </p>
  );
}

/** Also shown of a port that is held: after its release, nobody is given it unasked. */
function Excluded({ reason }: { reason: string }) {
  return (
    <p>
      Nobody is given it unasked. The reason: <FreeText>{reason}</FreeText>
    </p>
  );
}

function Listening({ listener: { process, pid, path, address } }: { listener: Listener }) {
  return (
    <p>
      On it listens {process === null ? 'a process that can not be seen from here' : <FreeText>{process}</FreeText>}
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

function Warning({ finding }: { finding: AuditConflict }) {
  return (
    <p class="warning">
      <FreeText>{finding.detail}</FreeText> Found: <FreeText>{finding.actual}</FreeText>.
    </p>
  );
}

function Held({ allocation }: { allocation: Allocation }) {
  const { service, project, environment, serviceType, description, cloudflareHostname, metadata } = allocation;
  const ask = (kind: 'describe' | 'release') => (openDialog.value = { kind, allocation });
  return (
    <>
      <dl>
        <Entry name="Service">
          {project}/{service}
        </Entry>
        <Entry name="Environment">{environment}</Entry>
        <Entry name="Type">{serviceType && <FreeText>{serviceType}</FreeText>}</Entry>
        <Entry name="Description">{description && <FreeText>{description}</FreeText>}</Entry>
        <Entry name="Hostname">{cloudflareHostname}</Entry>
        <Entry name="Allocated">
          <Moment at={allocation.allocatedAt} />
        </Entry>
        <Entry name="Last running">{allocation.lastUsedAt && <Moment at={allocation.lastUsedAt} />}</Entry>
        <Entry name="Metadata">
          {metadata && (
            <code>
              <FreeText>{JSON.stringify(metadata, null, 1)}</FreeText>
            </code>
          )}
        </Entry>
      </dl>
      <div class="buttons">
        <button type="button" class="button" onClick={() => ask('describe')}>
          Describe
        </button>
        <button type="button" class="button danger-quiet" onClick={() => ask('release')}>
          Release
        </button>
      </div>
    </>
  );
}

function Reserved({ reservation }: { reservation: Reservation }) {
  const ask = (kind: 'claim' | 'cancel') => (openDialog.value = { kind, reservation });
  return (
    <>
      <dl>
        <Entry name="For">{reservation.service && `${reservation.project}/${reservation.service}`}</Entry>
        <Entry name="By">{reservation.reservedBy && <FreeText>{reservation.reservedBy}</FreeText>}</Entry>
        <Entry name="Reason">{reservation.reason && <FreeText>{reservation.reason}</FreeText>}</Entry>
        <Entry name="Until">
          <Moment at={reservation.expiresAt} />
        </Entry>
      </dl>
      <div class="buttons">
        <button type="button" class="button" onClick={() => ask('claim')}>
          Claim
        </button>
        <button type="button" class="button danger-quiet" onClick={() => ask('cancel')}>
          Cancel the reservation
        </button>
      </div>
    </>
  );
}

/** The actions for a port that nobody holds or reserves. */
function FreePortActions({ details: { port, state }, project }: { details: Port; project: string }) {
  if (state === 'allocated' || state === 'in_use' || state === 'reserved') return null;
  const ask = (kind: 'get' | 'reserve') => (openDialog.value = { kind, project, port });
  return (
    <>
      {state === 'cooling' && (
        <p>It was released a short while ago, and is kept from other services until they have forgotten it.</p>
      )}
      <div class="buttons">
        <button type="button" class="button" onClick={() => ask('get')}>
          Get this port
        </button>
        <button type="button" class="button" onClick={() => ask('reserve')}>
          Reserve it
        </button>
      </div>
    </>
  );
}

function Moment({ at }: { at: string }) {
  return (
    <time dateTime={at} title={formatMoment(at)}>
      {formatAge(at)}
    </time>
  );
}

function Entry({ name, children }: { name: string; children: ComponentChildren }) {
  if (children === null || children === undefined) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
