import { mayTake } from '../../access/own-projects.js';
import { mayChange } from '../../access/own-role.js';
import { PopUp } from '../../parts/pop-up.js';
import { addressWith, followLink, openDialog } from '../../place.js';
import { Copies } from '../../port/copies.js';
import type { Row } from '../../registry/rows.js';

/** What can be done with a number, and copied of it. */
export function RowMenu({ row }: { row: Row }) {
  const { port, project, service, held, reservation } = row;
  const name = service === null ? String(port) : `${port}, ${project}/${service}`;
  return (
    <PopUp class="row-menu-button" label={`Actions for ${name}`} button={<span aria-hidden="true">⋯</span>}>
      {(close) => (
        <>
          <p class="pop-up-head">
            <strong>{name}</strong>
            <a
              href={addressWith({ port: row.spot })}
              onClick={(event) => {
                close();
                followLink(event);
              }}
            >
              Details
            </a>
          </p>
          {held !== null && <Copies held={held} />}
          <div class="buttons">
            {mayChange.value && held !== null && (
              <Action id={held.id} close={close} actions={{ describe: 'Describe', release: 'Release' }} />
            )}
            {mayChange.value && reservation !== null && (
              <Action
                id={reservation.id}
                close={close}
                actions={{
                  ...(mayTake(project, row.host) && { claim: 'Claim', renew: 'Renew' }),
                  cancel: 'Cancel the reservation',
                }}
              />
            )}
          </div>
        </>
      )}
    </PopUp>
  );
}

/** Buttons that open dialogs, by the kind of these. */
function Action({ id, close, actions }: { id: string; close(): void; actions: Record<string, string> }) {
  return Object.entries(actions).map(([kind, name]) => (
    <button
      key={kind}
      type="button"
      class={kind === 'release' || kind === 'cancel' ? 'button danger-quiet' : 'button'}
      onClick={() => {
        close(); // first, so that the focus comes back to the row when the dialog is closed
        openDialog(kind, id);
      }}
    >
      {name}
    </button>
  ));
}
