import { useState } from 'preact/hooks';
import { Refusal } from '../registry/api.js';

type Key = string | number;

export interface Action {
  isBusy: boolean;
  error: unknown;
  /** Does it, unless it is being done. @param sent the keys of the items that are sent, in their order */
  run(action: () => Promise<void>, sent?: readonly Key[]): Promise<void>;
  /** What the registry has said of a field of the item with this key. */
  errorOf(key: Key, field: string): string | undefined;
}

/** Something that is done once at a time, and may be refused. */
export function useAction(): Action {
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<{ error: unknown; sent: readonly Key[] }>({ error: null, sent: [] });
  const { error } = failure;
  return {
    isBusy,
    error,
    async run(action, sent = []) {
      if (isBusy) return;
      setBusy(true);
      setFailure({ error: null, sent });
      await action().catch((error: unknown) => setFailure({ error, sent }));
      setBusy(false);
    },
    errorOf(key, field) {
      const errors = error instanceof Refusal ? error.problem?.errors : undefined;
      return errors?.find(({ pointer }) => pointer === `/items/${failure.sent.indexOf(key)}/${field}`)?.detail;
    },
  };
}
