import { keyRefusal } from '../registry/api.js';
import { failure, refresh, registry } from '../registry/registry.js';

export function Waiting() {
  return <p class="waiting">Reading the registry…</p>;
}

/** Says why the registry could not be read. */
export function Failure() {
  const failed = failure.value;
  return (
    <div role="alert">
      {failed !== null && (
        <div class="failure">
          <h2>{failed.needsKey ? 'This registry needs a key' : 'The registry can not be read'}</h2>
          <p>{failed.reason}</p>
          {failed.needsKey ? (
            <button type="button" class="button" onClick={() => (keyRefusal.value = failed.reason)}>
              Enter the key
            </button>
          ) : (
            <>
              <p class="quiet">
                {registry.value ? 'Below is what was read last. ' : ''}This page tries again every few seconds.
              </p>
              <button type="button" class="button" onClick={() => void refresh()}>
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
    <section class="empty" aria-labelledby="map">
      <h2 id="map">This registry has no ranges yet</h2>
      <p>A project gets its ports from a range of its own. Create the first one, and get ports for its services:</p>
      <pre>
        <code>
          {`curl -X POST -H 'Content-Type: application/json' \\\n  -d '{"project":"atlas"}' ${new URL('v1/ranges', document.baseURI).href}`}
        </code>
      </pre>
      <p>
        To take over services that run already, see the imports in <a href="./docs/">the contract</a>; with{' '}
        <code>npm run seed</code> the registry starts with the usual seven.
      </p>
    </section>
  );
}
