import type { AppError, Holder } from '../errors.js';
import type { Allocation, AllocationDetails } from '../schemas/allocation.js';
import type { Import } from '../schemas/import.js';
import type { Reservation } from '../schemas/reservation.js';

/** One host and protocol: a port space of its own. */
export interface Space {
  host: string;
  protocol: 'tcp' | 'udp';
}

/** What a port is held for. */
export interface AllocationKey extends Space {
  project: string;
  service: string;
  environment: string;
}

interface Query {
  environment?: string | undefined;
  host?: string | undefined;
  protocol?: 'tcp' | 'udp' | undefined;
}

/** The key that is named, with the defaults where the query is silent. */
export function keyOf({ project, service }: { project: string; service: string }, query: Query): AllocationKey {
  return { project, service, environment: query.environment ?? 'default', ...spaceOf(query) };
}

export function spaceOf(query: Query): Pick<AllocationKey, 'host' | 'protocol'> {
  return { host: query.host ?? 'localhost', protocol: query.protocol ?? 'tcp' };
}

/** A retry under the same key and hash gets the first answer back. */
export interface IdempotencyClaim {
  /** Whose keys these are: two callers may use one key for two things. */
  caller: string;
  key: string;
  requestHash: string;
}

interface GetOrAllocate {
  kind: 'get-or-allocate';
  key: AllocationKey;
  details: AllocationDetails;
}
interface Allocate {
  kind: 'allocate';
  key: AllocationKey;
  details: AllocationDetails;
  /** One particular port; null takes the lowest free one. */
  port: number | null;
  idempotency: IdempotencyClaim | null;
}
interface ReleaseKey {
  kind: 'release-key';
  key: AllocationKey;
}
interface Release {
  kind: 'release';
  id: string;
}
interface Update {
  kind: 'update';
  id: string;
  details: AllocationDetails;
}
interface UpdateKey {
  kind: 'update-key';
  key: AllocationKey;
  details: AllocationDetails;
}

/** Get-or-allocate of them all, or of none. The keys differ, and share environment, host and protocol. */
export interface AllocateEnvironment {
  kind: 'allocate-environment';
  services: { key: AllocationKey; details: AllocationDetails }[];
}
export interface ReleaseEnvironment extends Space {
  kind: 'release-environment';
  environment: string;
}
export interface Reserve extends Space {
  kind: 'reserve';
  /** One particular port; null takes the lowest free one. */
  port: number | null;
  service: string | null;
  ttlSeconds: number;
  reservedBy: string | null;
  reason: string | null;
  idempotency: IdempotencyClaim | null;
}
export interface Claim {
  kind: 'claim';
  reservationId: string;
  /** Null takes the reservation's. */
  service: string | null;
  environment: string;
  /** What the caller takes the reservation's port space to be, as far as it said. */
  space: Partial<Space>;
  details: AllocationDetails;
  idempotency: IdempotencyClaim | null;
}
interface Cancel {
  kind: 'cancel';
  reservationId: string;
}
interface Renew {
  kind: 'renew';
  reservationId: string;
  ttlSeconds: number;
}
/** Holds a port that is in use already, if nobody else may have it. */
export interface Adopt extends Space {
  kind: 'adopt';
  port: number;
  /** Null: any that holds the port, or else `default`. */
  environment: string | null;
  /** Null: any that holds the port, or else a name made of `processName`, or else of the port. */
  service: string | null;
  processName: string | null;
}

/** What can be asked of one project under its lock. */
export type ProjectCommand =
  | GetOrAllocate
  | Allocate
  | ReleaseKey
  | Release
  | Update
  | UpdateKey
  | AllocateEnvironment
  | ReleaseEnvironment
  | Reserve
  | Claim
  | Cancel
  | Renew
  | Adopt;

export interface Adoption extends Omit<Import['items'][number], 'port' | 'host'> {
  /** Who stands in the way, where it is not the project itself: not every caller may be told. */
  holder?: Holder;
}

interface Results {
  'get-or-allocate': { allocation: Allocation; created: boolean };
  allocate: { allocation: Allocation; replayed: boolean };
  'release-key': Allocation[];
  release: Allocation;
  update: Allocation;
  'allocate-environment': { items: Allocation[]; created: boolean };
  'release-environment': Allocation[];
  reserve: { reservation: Reservation; replayed: boolean };
  claim: { allocation: Allocation; created: boolean; replayed: boolean };
  cancel: Reservation;
  renew: Reservation;
  adopt: Adoption;
  'update-key': Allocation[];
}
export type ResultOf<C extends ProjectCommand> = Results[C['kind']];

/** One command's own outcome: a refusal is a value, so that it cannot touch its neighbours. */
export type Outcome = { ok: true; value: Results[keyof Results] } | { ok: false; error: AppError };
