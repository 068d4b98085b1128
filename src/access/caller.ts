/** What a key may do. `admin`: everything. `project`: everything within its projects. `reader`: read everything. */
export type Role = 'admin' | 'project' | 'reader';

/**
 * Who makes a request. `anonymous`: no keys are in force, so nobody is asked for one. `unidentified`: keys are in
 * force, and a request without one reached a route that needs none. `key`: the request came with a valid key.
 */
export type Caller =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'unidentified' }
  | {
      readonly kind: 'key';
      /** Never changes, because idempotency keys are stored under it. Not the secret. */
      readonly id: string;
      readonly name: string;
      readonly role: Role;
      /** The projects that a key with the role `project` covers; empty for the other roles. */
      readonly projects: readonly string[];
      /** The Cloudflare hostnames that the key may set, with every name below them; null for any. */
      readonly hostnames: readonly string[] | null;
      /** The hosts on which the key may take ports; null for any. */
      readonly hosts: readonly string[] | null;
      /** When the key ends by itself (RFC 3339); null for never. */
      readonly expiresAt: string | null;
    };

export const ANONYMOUS: Caller = Object.freeze({ kind: 'anonymous' });
export const UNIDENTIFIED: Caller = Object.freeze({ kind: 'unidentified' });

/** The caller whose key is the one in ADMIN_API_KEY. */
export const CONFIGURED_ADMIN: Caller = Object.freeze({
  kind: 'key',
  id: 'ADMIN_API_KEY',
  name: 'ADMIN_API_KEY',
  role: 'admin',
  projects: Object.freeze([]),
  hostnames: null,
  hosts: null,
  expiresAt: null,
});

/** The name under which a caller's idempotency keys are stored, so that no caller gets the answers of another. */
export const callerId = (caller: Caller): string => (caller.kind === 'key' ? caller.id : caller.kind);

/** Where no keys are in force. */
const ANYBODY = {
  kind: 'anonymous' as const,
  keyId: null,
  name: null,
  role: 'admin' as const,
  projects: null,
  hostnames: null,
  hosts: null,
  expiresAt: null,
};

/** What a caller is and may do, as it is answered: null is whatever nothing limits. */
export function describeCaller(caller: Caller) {
  if (caller.kind !== 'key') return ANYBODY;
  const { id, name, role, projects, hostnames, hosts, expiresAt } = caller;
  return {
    kind: 'key' as const,
    keyId: caller === CONFIGURED_ADMIN ? null : id,
    name,
    role,
    projects: role === 'project' ? [...projects] : null,
    hostnames: hostnames && [...hostnames],
    hosts: hosts && [...hosts],
    expiresAt,
  };
}
