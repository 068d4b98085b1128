import { batch } from '@preact/signals';
import { countUnknownEvents } from '../feed/changes.js';
import { connection, readAgain } from '../feed/feed.js';
import { go } from '../place.js';
import { setApiKey } from '../registry/api.js';
import { forgetAll } from '../registry/store.js';

/** Forgets the key of this tab, and what was read with it, at once: the service may not answer just then. */
export function forgetKey(): void {
  go({ port: null }, 'replace');
  batch(() => {
    setApiKey(null);
    forgetAll();
    countUnknownEvents();
    connection.value = { state: 'connecting' };
  });
  readAgain();
}
