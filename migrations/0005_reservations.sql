-- Holds on ports that end by themselves, or are claimed as an allocation.

-- A reservation whose expires_at has passed holds nothing, even while its status is still 'active'. The status becomes
-- 'expired' when cleanup_expired_reservations() runs or somebody else reserves the port.
create table port_reservations (
  id uuid primary key default gen_random_uuid(),
  port integer not null,
  project registry_name not null,
  service registry_name,
  host registry_host not null default 'localhost',
  protocol transport_protocol not null default 'tcp',
  reserved_by text,
  reason text,
  created_at timestamptz(3) not null default clock_timestamp(),
  expires_at timestamptz(3) not null,
  ended_at timestamptz(3),
  status text not null default 'active',
  allocation_id uuid references port_allocations (id) on delete set null,
  constraint port_reservations_port check (port between 3000 and 64999),
  constraint port_reservations_status check (status in ('active', 'claimed', 'cancelled', 'expired')),
  constraint port_reservations_ended check ((status = 'active') = (ended_at is null)),
  constraint port_reservations_claimed check (allocation_id is null or status = 'claimed')
);
create unique index port_reservations_active_port
  on port_reservations (host, protocol, port) where status = 'active';
create index port_reservations_expiry on port_reservations (expires_at) where status = 'active';
create index port_reservations_ended_age on port_reservations (ended_at) where ended_at is not null;
create index port_reservations_pages on port_reservations (port, id);
-- Counts the reservations of a project, and finds the hosts of the active ones.
create index port_reservations_by_project on port_reservations (project, status, host);
create index port_reservations_by_allocation on port_reservations (allocation_id) where allocation_id is not null;
