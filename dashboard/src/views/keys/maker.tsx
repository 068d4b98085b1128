import { FreeText } from '../../parts/free-text.js';
import type { ApiKey } from '../../registry/api.js';
import { isOfThisPage } from './read-keys.js';

/**
 * Who has made a key or a webhook.
 * @param id of the key, `ADMIN_API_KEY`, or `anonymous`
 * @param keys null where this page may not see them, and so cannot tell names
 */
export function Maker({ id, keys }: { id: string; keys: readonly ApiKey[] | null }) {
  if (id === 'ADMIN_API_KEY') return <>{id}</>;
  if (id === 'anonymous') return <>somebody without a key</>;
  const key = keys?.find((one) => one.id === id);
  if (key !== undefined) return <FreeText>{key.name}</FreeText>;
  if (isOfThisPage({ id })) return <>the key of this page</>;
  return <>{keys === null ? 'another key' : 'a key that is revoked'}</>;
}
