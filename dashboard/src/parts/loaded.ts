import { useEffect, useState } from 'preact/hooks';
import { describeFailure } from '../registry/api.js';

/** What was asked for, and what went wrong with the last attempt; the answer before stays until the next is there. */
export function useLoaded<T>(load: () => Promise<T>, when: unknown[]): { data: T | null; error: string | null } {
  const [loaded, setLoaded] = useState<{ data: T | null; error: string | null }>({ data: null, error: null });
  useEffect(() => {
    let isCurrent = true;
    load().then(
      (data) => isCurrent && setLoaded({ data, error: null }),
      (error: unknown) => isCurrent && setLoaded(({ data }) => ({ data, error: describeFailure(error) })),
    );
    return () => {
      isCurrent = false;
    };
  }, when);
  return loaded;
}
