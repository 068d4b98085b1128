import { caller } from '../access/caller.js';
import { mayChange } from '../access/own-role.js';
import { connection } from '../feed/feed.js';
import { formatClock } from '../format.js';
import { isSlashOn, openPalette } from '../palette/open.js';
import { Link } from '../parts/links.js';
import { addressOfView, openDialog } from '../place.js';
import { apiKey } from '../registry/api.js';
import { nameOfRole } from '../views/keys/read-keys.js';
import { forgetKey } from './forget-key.js';

/** What is the same in every view: the palette, getting a port, and whether the page follows the registry. */
export function Header() {
  return (
    <header class="top">
      <h1>
        <Link to={addressOfView('services')} class="home">
          <span class="logo" aria-hidden="true" /> Port Allocator
        </Link>
      </h1>
      <button
        type="button"
        class="palette-opener"
        aria-haspopup="dialog"
        aria-keyshortcuts={isSlashOn.value ? '/ Control+K' : 'Control+K'}
        onClick={openPalette}
      >
        <span>Search, or do something</span>
        <span class="key" aria-hidden="true">
          {isSlashOn.value ? '/' : 'Ctrl K'}
        </span>
      </button>
      <ConnectionState />
      <div class="actions">
        {apiKey.value !== null && <KeyOfThisPage />}
        {mayChange.value && (
          <button type="button" class="button primary" onClick={() => openDialog('get')}>
            Get a port
          </button>
        )}
      </div>
    </header>
  );
}

function KeyOfThisPage() {
  const { name, role } = caller.value ?? {};
  return (
    <>
      {name && role && <span class="own-key" title="Whose key this page uses">{`${name} (${nameOfRole(role)})`}</span>}
      <button type="button" class="link" onClick={forgetKey}>
        Forget the key
      </button>
    </>
  );
}

function ConnectionState() {
  const now = connection.value;
  return (
    <p class={`connection ${now.state}`} role="status">
      {now.state === 'connecting' && 'Connecting…'}
      {now.state === 'live' && <span title="Changes are shown as they are made.">Live</span>}
      {now.state === 'polling' && <span title={now.reason}>Read every few seconds</span>}
      {now.state === 'lost' && <span title={now.reason}>Not live since {formatClock(now.since)}</span>}
    </p>
  );
}
