/**
 * Limits of what one project may hold, so that the key of one project cannot fill the database. What would exceed one of
 * these is refused: with the variable that sets it, what has reached it, and what makes room.
 */
export const refusedLimits = {
  hosts: {
    variable: 'MAX_HOSTS_PER_PROJECT',
    reached: (limit: number) => `holds or reserves ports on ${limit} hosts beside localhost`,
    remedy: 'Give up everything on one of them',
  },
  environments: {
    variable: 'MAX_ENVIRONMENTS_PER_PROJECT',
    reached: (limit: number) => `holds ports in ${limit} environments beside default`,
    remedy: 'Release everything in one of them',
  },
  reservations: {
    variable: 'MAX_RESERVATIONS_PER_PROJECT',
    reached: (limit: number) => `has ${limit} reservations, those that ended in the last 7 days included`,
    remedy: 'Wait until old ones are deleted, allocate instead',
  },
  idempotencyKeys: {
    variable: 'MAX_IDEMPOTENCY_KEYS_PER_PROJECT',
    reached: (limit: number) => `used ${limit} idempotency keys in the last 24 hours`,
    remedy: 'Wait until the oldest are 24 hours old',
  },
} as const;

export type RefusedKind = keyof typeof refusedLimits;
/** Health checks are never refused: beyond MAX_HEALTH_CHECKS_PER_PROJECT the oldest make room for the new ones. */
export type ProjectLimits = Readonly<Record<RefusedKind | 'healthChecks', number>>;

export const UNLIMITED: ProjectLimits = Object.freeze({
  hosts: Number.POSITIVE_INFINITY,
  environments: Number.POSITIVE_INFINITY,
  reservations: Number.POSITIVE_INFINITY,
  idempotencyKeys: Number.POSITIVE_INFINITY,
  healthChecks: Number.POSITIVE_INFINITY,
});
