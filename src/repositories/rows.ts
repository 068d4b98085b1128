import type { AllocationRow, HealthCheckRow, RangeRow, ReservationRow } from '../database/tables.js';
import type { Allocation } from '../schemas/allocation.js';
import type { HealthCheck } from '../schemas/health-check.js';
import type { Range } from '../schemas/range.js';
import type { Reservation } from '../schemas/reservation.js';

/** The boundary: rows stop here, and what leaves the repositories has the wire's names and forms. */
export function toAllocation(row: AllocationRow): Allocation {
  return {
    id: row.id,
    port: row.port,
    project: row.project,
    service: row.service,
    environment: row.environment,
    host: row.host,
    protocol: row.protocol,
    status: row.status,
    serviceType: row.service_type,
    description: row.description,
    cloudflareHostname: row.cloudflare_hostname,
    metadata: row.metadata,
    allocatedAt: row.allocated_at.toISOString(),
    lastUsedAt: toTime(row.last_used_at),
    releasedAt: toTime(row.released_at),
    updatedAt: row.updated_at.toISOString(),
  };
}

/** What `range_counts()` answers; `utilization` is NUMERIC, which pg hands over as text. */
export interface CountsRow {
  total_ports: number;
  allocated_ports: number;
  in_use_ports: number;
  reserved_ports: number;
  cooling_ports: number;
  available_ports: number;
  utilization: string;
}

// Linux gives outgoing connections ports of this span (net.ipv4.ip_local_port_range, ip(7)).
const EPHEMERAL_START = 32768;
const EPHEMERAL_END = 60999;

export function toRange(row: RangeRow & CountsRow): Range {
  const overlapsEphemeral = row.start_port <= EPHEMERAL_END && row.end_port >= EPHEMERAL_START;
  return {
    startPort: row.start_port,
    endPort: row.end_port,
    project: row.project,
    kind: row.kind,
    description: row.description,
    reuseCooldownSeconds: row.reuse_cooldown_seconds,
    totalPorts: row.total_ports,
    allocatedPorts: row.allocated_ports,
    inUsePorts: row.in_use_ports,
    reservedPorts: row.reserved_ports,
    coolingPorts: row.cooling_ports,
    availablePorts: row.available_ports,
    utilization: Number(row.utilization),
    createdAt: row.created_at.toISOString(),
    warnings: overlapsEphemeral
      ? [
          `Linux takes outgoing connections' ports from ${EPHEMERAL_START}–${EPHEMERAL_END}, which this range overlaps: ` +
            'a service can find its port taken for a moment. Keep it out with net.ipv4.ip_local_reserved_ports.',
        ]
      : [],
  };
}

export function toReservation(row: ReservationRow, now: Date): Reservation {
  const expired = row.status === 'active' && row.expires_at <= now;
  return {
    id: row.id,
    port: row.port,
    project: row.project,
    service: row.service,
    host: row.host,
    protocol: row.protocol,
    reservedBy: row.reserved_by,
    reason: row.reason,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    status: expired ? 'expired' : row.status,
    allocationId: row.allocation_id,
  };
}

export function toHealthCheck(row: HealthCheckRow): HealthCheck {
  return {
    id: row.id,
    allocationId: row.allocation_id,
    port: row.port,
    host: row.host,
    outcome: row.outcome,
    responseTimeMs: row.response_time_ms,
    error: row.error,
    checkedAt: row.checked_at.toISOString(),
  };
}

export function toTime(value: Date | null): string | null {
  return value === null ? null : value.toISOString();
}
