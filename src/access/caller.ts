/** What a key may do: everything; everything within its projects; or look. */
export type Role = 'admin' | 'project' | 'reader';

/**
 * Who makes a request: anyone at all, where no keys are in force; nobody known, where keys are in force and the
 * route needs none; or whoever holds a key.
 */
export type Caller =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'unidentified' }
  | {
      readonly kind: 'key';
      /** Stable, and never the secret: idempotency keys are kept by it. */
      readonly id: string;
      readonly name: string;
      readonly role: Role;
      /** Those of a `project` key; empty for the other roles. */
      readonly projects: readonly string[];
    };

export const ANONYMOUS: Caller = Object.freeze({ kind: 'anonymous' });
export const UNIDENTIFIED: Caller = Object.freeze({ kind: 'unidentified' });

/** What ADMIN_API_KEY stands for. */
export const ENVIRONMENT_ADMIN: Caller = Object.freeze({
  kind: 'key',
  id: 'ADMIN_API_KEY',
  name: 'ADMIN_API_KEY',
  role: 'admin',
  projects: Object.freeze([]),
});

/** Under which name idempotency keys are kept, so that no caller gets another's answers. */
export const callerId = (caller: Caller): string => (caller.kind === 'key' ? caller.id : caller.kind);
