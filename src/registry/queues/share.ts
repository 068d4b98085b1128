/** How long an answer is given to further callers. */
const SHARED_MS = 1000;

/**
 * Makes a computation that all who ask at the same time share, and that is not repeated for a second after it has
 * succeeded. So its cost does not depend on how many ask. One that has failed is repeated for the next who asks.
 */
export function shareForASecond<T>(compute: () => Promise<T>): () => Promise<T> {
  let shared: Promise<T> | null = null;
  return () => {
    if (shared !== null) return shared;
    const computed = compute();
    const forget = () => {
      shared = null;
    };
    shared = computed;
    computed.then(() => setTimeout(forget, SHARED_MS).unref(), forget);
    return computed;
  };
}
