import { useEffect, useState } from 'preact/hooks';
import { describeFailure } from '../registry/api.js';

/**
 * Loads data whenever `when` changes. While it loads, and if it fails, the data from before stays.
 * @returns the data that was loaded last, and why the last attempt failed, if it did
 */
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
