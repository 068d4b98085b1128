import { isAdmin } from '../access/own-role.js';
import { connection, readAgain } from '../feed/feed.js';
import { openDialog } from '../place.js';
import { keyRefusal } from '../registry/api.js';
import { isRead } from '../registry/store.js';

export function Waiting() {
  return <p class="waiting">Reading the registry…</p>;
}

/** Says why the page does not follow the registry. */
export function Trouble() {
  const now = connection.value;
  return (
    <div role="alert">
      {now.state === 'lost' && (
        <div class="failure">
          <h2>{now.needsKey ? 'This registry needs a key' : 'The registry cannot be read'}</h2>
          <p>{now.reason}</p>
          {now.needsKey ? (
            <button type="button" class="button" onClick={() => (keyRefusal.value = now.reason)}>
              Enter the key
            </button>
          ) : (
            <>
              <p class="quiet">
                {isRead.value ? 'Below is what was read last. ' : ''}This page tries again every few seconds.
              </p>
              <button type="button" class="button" onClick={readAgain}>
                Try now
              </button>
            </>
          )}
        </div>
      )}
    </div>
  );
}

/** Shown for a registry without ranges. */
export function Empty() {
  return (
    <section class="empty" aria-labelledby="empty">
      <h2 id="empty">This registry has no ranges yet</h2>
      <p>A project gets its ports from a range of its own, which no other range can overlap. Create the first one.</p>
      {isAdmin.value && (
        <p>
          <button type="button" class="button primary" onClick={() => openDialog('new-project')}>
            New project
          </button>
        </p>
      )}
      <p class="quiet">
        With <code>npm run seed</code> the registry starts with the usual seven.
      </p>
    </section>
  );
}
