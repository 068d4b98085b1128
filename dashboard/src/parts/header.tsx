import { useEffect, useRef } from 'preact/hooks';
import { openDialog } from '../dialogs/open.js';
import { formatAge, formatClock, formatMoment } from '../format.js';
import { apiKey, setApiKey } from '../registry/api.js';
import { auditState, runAudit } from '../registry/audit.js';
import { refresh, registry, space } from '../registry/registry.js';
import { environment, environments, hosts, query, selected } from '../registry/view.js';
import { FreeText } from './free-text.js';

/** The search, the filters, and the actions that are always possible. */
export function Header() {
  return (
    <header class="top">
      <div class="top-row">
        <h1>
          <span class="logo" aria-hidden="true" /> Port Allocator
        </h1>
        <Search />
        <div class="actions">
          <button type="button" class="button" onClick={() => (openDialog.value = { kind: 'reserve' })}>
            Reserve
          </button>
          <button type="button" class="button primary" onClick={() => (openDialog.value = { kind: 'get' })}>
            Get a port
          </button>
        </div>
      </div>
      <div class="top-row filters">
        <Filters />
        <RefreshControls />
        <LastAudit />
        <button
          type="button"
          class="button"
          aria-disabled={auditState.value.phase === 'running'}
          title="Probes every port of the map, and compares what listens with what is held"
          onClick={() => auditState.value.phase !== 'running' && void runAudit()}
        >
          Run an audit
        </button>
      </div>
    </header>
  );
}

function Search() {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLElement && event.target.matches('input, textarea, select');
      if (event.key !== '/' || isTyping || document.querySelector('dialog:modal')) return;
      event.preventDefault();
      input.current?.focus();
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, []);
  return (
    <search class="search">
      <input
        ref={input}
        type="search"
        aria-label="Search services, hostnames and port numbers"
        aria-keyshortcuts="/"
        placeholder="Search services, hostnames, numbers"
        autocomplete="off"
        spellcheck={false}
        value={query.value}
        onInput={(event) => (query.value = event.currentTarget.value)}
      />
      <span class="shortcut" aria-hidden="true">
        /
      </span>
    </search>
  );
}

function Filters() {
  return (
    <>
      <label>
        Host
        <select
          value={space.value.host}
          onChange={({ currentTarget }) => showSpace({ ...space.value, host: currentTarget.value })}
        >
          {hosts.value.map(([host, ports]) => (
            <option key={host} value={host}>
              {host} ({ports})
            </option>
          ))}
        </select>
      </label>
      <label>
        Protocol
        <select
          value={space.value.protocol}
          onChange={({ currentTarget }) =>
            showSpace({ ...space.value, protocol: currentTarget.value === 'udp' ? 'udp' : 'tcp' })
          }
        >
          <option value="tcp">TCP</option>
          <option value="udp">UDP</option>
        </select>
      </label>
      <label>
        Environment
        <select value={environment.value} onChange={({ currentTarget }) => (environment.value = currentTarget.value)}>
          <option value="">all</option>
          {environments.value.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}

/** Who made the last audit of this host, and when: the same for everybody who looks. */
function LastAudit() {
  if (registry.value === null) return null;
  const { lastAudit } = registry.value;
  if (lastAudit === null) return <span class="quiet">Not checked yet</span>;
  const { checkedAt, requestedBy } = lastAudit;
  return (
    <span class="quiet">
      Audited{' '}
      <time dateTime={checkedAt} title={formatMoment(checkedAt)}>
        {formatAge(checkedAt)}
      </time>
      {requestedBy !== 'anonymous' && (
        <>
          {' '}
          by <FreeText>{requestedBy}</FreeText>
        </>
      )}
    </span>
  );
}

function showSpace(next: typeof space.value): void {
  selected.value = null;
  space.value = next;
}

function RefreshControls() {
  return (
    <span class="freshness">
      {registry.value && <span class="quiet">As of {formatClock(registry.value.loadedAt)}</span>}
      <button type="button" class="link" onClick={() => void refresh()}>
        Refresh
      </button>
      {apiKey.value !== null && (
        <button type="button" class="link" onClick={forgetKey}>
          Forget the key
        </button>
      )}
    </span>
  );
}

function forgetKey(): void {
  selected.value = null;
  setApiKey(null);
  void refresh();
}
