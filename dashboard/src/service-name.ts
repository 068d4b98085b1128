export const MAX_NAME_LENGTH = 63;

/**
 * A name for a service in the form that names have, of the process that listens: `Python3 (main)` is `python3-main`.
 */
export function toServiceName(process: string | null, port: number): string {
  const readable = (process ?? '').toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
  const begun = readable.replace(/^[._-]+/, '').slice(0, MAX_NAME_LENGTH);
  return begun.replace(/[._-]+$/, '') || `port-${port}`;
}
