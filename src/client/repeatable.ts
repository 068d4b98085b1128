/** Operations that honour an `Idempotency-Key`: with one, a repeated request gets the answer of the first. */
const HONOURS_KEY = [
  '/v1/projects/{}/allocations',
  '/v1/projects/{}/reservations',
  '/v1/reservations/{}/claim',
  '/v1/allocations/{}/health-checks',
  '/v1/imports',
  '/v1/ranges',
  '/v1/api-keys',
  '/v1/webhooks',
  // Of a call of a tool. The service itself knows which tools may be repeated.
  '/mcp',
].map((path) => new RegExp(`^${path.replaceAll('{}', '[^/]+')}$`));

/** Objects that are never made again after they were deleted. */
const BY_ID = /^\/v1\/(allocations|reservations|api-keys|webhooks)\/[^/]+$/;

export function honoursIdempotencyKey(method: string, path: string): boolean {
  return method === 'POST' && HONOURS_KEY.some((pattern) => pattern.test(path));
}

/**
 * Whether a request may be sent again if nobody knows whether it was executed.
 *
 * Deleting by name is not repeated. For example, `release web` is executed and its answer is lost; somebody else asks
 * for a port of `web` and gets one; the repeated request would release that.
 */
export function isRepeatable(method: string, path: string): boolean {
  if (method === 'GET' || method === 'PUT') return true;
  if (method === 'DELETE') return BY_ID.test(path);
  return honoursIdempotencyKey(method, path) || (method === 'POST' && path === '/v1/audits');
}
