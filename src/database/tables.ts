import type { ColumnType, Generated, Selectable } from 'kysely';
import type { Actor } from '../access/actor.js';

/**
 * Has the names of the applied migrations. Its name is not the one that Kysely and other tools use by default, so that
 * the service can share a database with them.
 */
export const MIGRATIONS_TABLE = 'port_allocator_migrations';

type Timestamp = ColumnType<Date, Date | string, Date | string>;
type NullableTimestamp = ColumnType<Date | null, Date | string | null, Date | string | null>;
export type Json = Record<string, unknown>;

export interface PortRangesTable {
  start_port: number;
  end_port: number;
  project: string;
  kind: 'project' | 'shared';
  description: string | null;
  reuse_cooldown_seconds: number;
  created_at: ColumnType<Date, never, never>;
}

export interface PortAllocationsTable {
  id: string;
  port: number;
  project: string;
  service: string;
  environment: string;
  host: string;
  protocol: 'tcp' | 'udp';
  status: 'allocated' | 'in_use' | 'released';
  service_type: string | null;
  description: string | null;
  cloudflare_hostname: string | null;
  hostname_withheld_at: NullableTimestamp;
  metadata: Json | null;
  /** About how many bytes the row has as JSON. The database computes it. */
  json_bytes: ColumnType<number, never, never>;
  allocated_at: Timestamp;
  last_used_at: NullableTimestamp;
  released_at: NullableTimestamp;
  updated_at: Timestamp;
  /** An `Actor`. The database fills it in where it is not given. */
  allocated_by: ColumnType<Actor, Actor | undefined, never>;
  released_by: Actor | null;
}

export interface KeptHostnamesTable {
  hostname: string;
  project: string;
  kept_until: Timestamp;
}

/** What is on record of an environment that holds a port, see migrations/0015_environment_records.sql. */
export interface EnvironmentsTable {
  project: string;
  environment: string;
  path: string | null;
  expires_after_seconds: number | null;
  on_expiry: 'tell' | 'release' | null;
  used_at: NullableTimestamp;
  told_at: NullableTimestamp;
}

export interface PortReservationsTable {
  id: Generated<string>;
  port: number;
  project: string;
  service: string | null;
  host: string;
  protocol: 'tcp' | 'udp';
  reserved_by: string | null;
  reason: string | null;
  created_at: Timestamp;
  expires_at: Timestamp;
  ended_at: NullableTimestamp;
  status: 'active' | 'claimed' | 'cancelled' | 'expired';
  allocation_id: string | null;
}

/** Ports that nobody is given unasked. */
export interface ExcludedPortsTable {
  port: number;
  reason: string;
  created_at: ColumnType<Date, never, never>;
}

export interface PortHealthChecksTable {
  id: Generated<string>;
  allocation_id: string;
  /** The allocation's. */
  project: string;
  port: number;
  host: string;
  outcome: 'open' | 'refused' | 'timeout' | 'unreachable';
  response_time_ms: number | null;
  error: string | null;
  checked_at: ColumnType<Date, never, never>;
}

/** An audit that was finished. */
export interface PortAuditsTable {
  id: Generated<string>;
  project: string | null;
  host: string | null;
  unallocated: boolean;
  /** The hosts on which every port of the ranges was probed. */
  fully_probed_hosts: string[];
  /** The projects whose findings it has, in alphabetical order; null for all. */
  covers: string[] | null;
  requested_by: string;
  checked_at: ColumnType<Date, never, never>;
  duration_ms: number;
  allocated: number;
  in_use: number;
  not_running: number;
  health: number | null;
  checked_ports: number;
  /** An array, as JSON text when it is written. */
  conflicts: ColumnType<unknown[], string, never>;
  /** About how many bytes the row has as JSON. The database computes it. */
  json_bytes: ColumnType<number, never, never>;
}

export interface LeasesTable {
  name: string;
  holder: string;
  expires_at: Timestamp;
  occurrence: Timestamp;
}

export interface IdempotencyKeysTable {
  /** Empty for a request that concerns several projects. */
  project: string;
  caller: string;
  key: string;
  request_hash: string;
  response: Json;
  created_at: Timestamp;
}

export interface ApiKeysTable {
  id: string;
  name: string;
  role: 'admin' | 'project' | 'reader';
  projects: string[];
  hostnames: string[] | null;
  hosts: string[] | null;
  hash: Buffer;
  created_by: string;
  created_at: ColumnType<Date, never, never>;
  expires_at: NullableTimestamp;
  last_used_at: NullableTimestamp;
}

/** Events whose transaction may not have ended, see migrations/0017_events.sql. */
export interface NewEventsTable {
  id: Generated<string>;
  type: string;
  project: string | null;
  subject: string;
  time: ColumnType<Date, never, never>;
  actor: Json;
  data: Json;
}

/** Committed events, in the order of the feed. */
export interface EventsTable extends Omit<NewEventsTable, 'id'> {
  /** A bigint, which pg reads as text. */
  position: string;
  /** Of the events up to this one. */
  latest_time: Date;
  /** About how many bytes the row has as JSON. The database computes it. */
  json_bytes: ColumnType<number, never, never>;
}

/** One row. */
export interface EventFeedTable {
  last_position: string;
  deleted_position: string;
}

/** See migrations/0018_webhooks.sql. */
export interface WebhooksTable {
  id: Generated<string>;
  url: string;
  types: string[];
  projects: string[];
  description: string | null;
  secret: string;
  created_by: string;
  key_id: string | null;
  created_at: ColumnType<Date, never, never>;
  /** A bigint, which pg reads as text. */
  position: string;
  generation: Generated<number>;
  disabled_at: NullableTimestamp;
  disabled_reason: string | null;
}

/** One event that one webhook gets. */
export interface WebhookDeliveriesTable {
  id: Generated<string>;
  webhook_id: string;
  /** A bigint, which pg reads as text. */
  position: string;
  type: string;
  /** Empty where the event has none. */
  project: string;
  generation: Generated<number>;
  status: 'pending' | 'delivered' | 'failed';
  attempts: number;
  next_attempt_at: NullableTimestamp;
  response_status: number | null;
  error: string | null;
  created_at: ColumnType<Date, never, never>;
  queued_at: Timestamp;
  ended_at: NullableTimestamp;
}

/** What the registry has written into a Cloudflare tunnel. */
export interface CloudflareHostnamesTable {
  tunnel_id: string;
  hostname: string;
  services: string[];
}

export interface CloudflareTunnelsTable {
  tunnel_id: string;
  following_since: NullableTimestamp;
  /** A bigint, which pg reads as text. */
  position: string;
  succeeded_at: NullableTimestamp;
  pending_changes: number | null;
  conflicts: number | null;
  failures: number;
  failed_at: NullableTimestamp;
  error: string | null;
  retry_at: NullableTimestamp;
  calls_at: NullableTimestamp;
}

export interface Tables {
  port_ranges: PortRangesTable;
  port_allocations: PortAllocationsTable;
  kept_hostnames: KeptHostnamesTable;
  environments: EnvironmentsTable;
  port_reservations: PortReservationsTable;
  port_health_checks: PortHealthChecksTable;
  excluded_ports: ExcludedPortsTable;
  port_audits: PortAuditsTable;
  leases: LeasesTable;
  idempotency_keys: IdempotencyKeysTable;
  api_keys: ApiKeysTable;
  new_events: NewEventsTable;
  events: EventsTable;
  event_feed: EventFeedTable;
  webhooks: WebhooksTable;
  webhook_deliveries: WebhookDeliveriesTable;
  cloudflare_hostnames: CloudflareHostnamesTable;
  cloudflare_tunnels: CloudflareTunnelsTable;
}

export type RangeRow = Selectable<PortRangesTable>;
export type AllocationRow = Omit<Selectable<PortAllocationsTable>, 'json_bytes' | 'allocated_by' | 'released_by'> & {
  /** Whether the port is among the excluded ones. Left out if that was not asked for. */
  is_excluded?: boolean;
  /** Where the row is to be written. */
  allocated_by?: Actor;
  released_by?: Actor | null;
};
export type ExcludedPortRow = Selectable<ExcludedPortsTable>;
export type HealthCheckRow = Selectable<PortHealthChecksTable>;
export type ApiKeyRow = Selectable<ApiKeysTable>;
export type WebhookRow = Selectable<WebhooksTable>;
export type WebhookDeliveryRow = Selectable<WebhookDeliveriesTable>;
export type ReservationRow = Selectable<PortReservationsTable>;
