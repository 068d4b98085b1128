import { computed, effect, signal } from '@preact/signals';
import { connection } from '../feed/feed.js';
import { answerOf, api, apiKey, type Caller } from '../registry/api.js';

/** Where nobody needs a key, everybody may do everything; so may a page that sees something without one. */
const WITHOUT_KEY: Caller = {
  kind: 'anonymous',
  keyId: null,
  name: null,
  role: 'admin',
  projects: null,
  hostnames: null,
  hosts: null,
  expiresAt: null,
};

const told = signal<{ key: string; caller: Caller } | null>(null);

/** What the key of this page is and may do, so that nobody is offered what would be refused; null until it is known. */
export const caller = computed<Caller | null>(() => {
  if (apiKey.value === null) return WITHOUT_KEY;
  return told.value?.key === apiKey.value ? told.value.caller : null;
});

// It is asked while the registry is read, and again whenever the feed begins again, because the service ends the stream
// of a key that was changed.
effect(() => {
  const key = apiKey.value;
  if (key === null || connection.value.state === 'lost') return;
  void answerOf(api.GET('/v1/caller')).then(
    (caller) => {
      if (key === apiKey.peek()) told.value = { key, caller };
    },
    () => {}, // asked again with the next connection
  );
});
