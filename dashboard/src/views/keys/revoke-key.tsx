import { Confirm } from '../../dialogs/form.js';
import { Gone } from '../../dialogs/gone.js';
import { WithLoaded } from '../../dialogs/with-loaded.js';
import { tell } from '../../notices.js';
import { Age } from '../../parts/age.js';
import { FreeText } from '../../parts/free-text.js';
import { closeDialog } from '../../place.js';
import { type ApiKey, answerOf, api } from '../../registry/api.js';
import { isOfThisPage, useKeys } from './read-keys.js';

/** Confirms that a key is revoked. */
export function RevokeKey({ about }: { about: string }) {
  return (
    <WithLoaded title="Revoke a key" loaded={useKeys()}>
      {(data) => {
        const key = 'keys' in data ? data.keys.find(({ id }) => id === about) : undefined;
        return key === undefined ? <Gone what="The key" /> : <Ask apiKey={key} />;
      }}
    </WithLoaded>
  );
}

function Ask({ apiKey: key }: { apiKey: ApiKey }) {
  const { id, name, lastUsedAt, role } = key;
  const revoke = async () => {
    await answerOf(api.DELETE('/v1/api-keys/{id}', { params: { path: { id } } }));
    await closeDialog();
    tell(`The key ${name} is revoked.`);
  };
  return (
    <Confirm title="Revoke this key?" submit="Revoke it" action={revoke}>
      <p>
        Whoever uses <FreeText>{name}</FreeText> is refused within 5 seconds. This cannot be undone.
        {lastUsedAt !== null && (
          <>
            {' '}
            It was last used <Age at={lastUsedAt} />.
          </>
        )}
      </p>
      {role === 'project' && <p>The webhooks that it answers for are switched off.</p>}
      {isOfThisPage(key) && <p class="warning">This page uses it, and will ask for another one.</p>}
    </Confirm>
  );
}
