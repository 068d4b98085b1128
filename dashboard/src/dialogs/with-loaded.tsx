import type { ComponentChildren } from 'preact';
import { Message } from './message.js';

interface Props<T> {
  /** Of the dialog that says why nothing could be read. */
  title: string;
  /** What `useLoaded` has read. */
  loaded: { data: T | null; error: string | null };
  children(data: T): ComponentChildren;
}

/**
 * A dialog about what is read first. Nothing is shown while it is read, and what was read stays if that fails later.
 */
export function WithLoaded<T>({ title, loaded: { data, error }, children }: Props<T>) {
  if (data !== null) return <>{children(data)}</>;
  if (error === null) return null;
  return (
    <Message title={title}>
      <p class="refusal">{error}</p>
    </Message>
  );
}
