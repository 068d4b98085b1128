-- The registry: ranges, what is held in them, and what became of it.
--
-- Frozen once released: a change is a new file. Every rule that two processes could break
-- together is held here, by a constraint, and not in code.

-- One form for every host: lower case, no trailing dot, addresses as RFC 5952 (IPv6) or four decimal
-- octets (IPv4) write them, loopback and wildcard addresses as 'localhost'. NULL for what is no host.
create function canonical_host(host text) returns text
language plpgsql immutable strict parallel safe as $$
declare
  name text := regexp_replace(regexp_replace(lower(host collate "C"), '\.$', ''), '^\[(.*:.*)\]$', '\1');
  address inet;
begin
  if name = '*' then
    return 'localhost';
  end if;
  if position(':' in name) > 0 or name ~ '(^|\.)([0-9]+|0x[0-9a-f]*)$' then
    if name !~ '^([0-9a-f:]+:[0-9a-f.:]*|((0|[1-9][0-9]{0,2})\.){3}(0|[1-9][0-9]{0,2}))$' then
      return null;
    end if;
    begin
      address := name::inet;
    exception when others then
      return null;
    end;
    if family(address) = 6 and address <<= '::ffff:0:0/96' then
      address := '0.0.0.0'::inet + (address - '::ffff:0:0'::inet);
    end if;
    if address <<= '127.0.0.0/8' or address = '0.0.0.0' or address = '::1' or address = '::' then
      return 'localhost';
    end if;
    if family(address) = 6 and address <<= '::/96' then
      return null; -- IPv4-compatible addresses are obsolete (RFC 4291, 2.5.5.1) and have two spellings
    end if;
    return host(address);
  end if;
  if length(name) > 253 or name !~ '^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$' then
    return null;
  end if;
  return name;
end
$$;

create domain registry_name as text
  check (value ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$');

-- 'localhost' first: the usual case pays for no function call.
create domain registry_host as text
  check (value = 'localhost' or value is not distinct from canonical_host(value));

create domain transport_protocol as text
  check (value in ('tcp', 'udp'));

-- Times are kept to the millisecond, which is what the wire carries, so that an answer built from
-- the values written equals the one read back later.

create table port_ranges (
  start_port integer primary key,
  end_port integer not null,
  project registry_name not null,
  kind text not null default 'project',
  description text,
  reuse_cooldown_seconds integer not null default 0,
  created_at timestamptz(3) not null default clock_timestamp(),
  constraint port_ranges_kind check (kind in ('project', 'shared')),
  constraint port_ranges_size check (
    end_port - start_port + 1 = case kind when 'project' then 100 when 'shared' then 1000 end
  ),
  constraint port_ranges_alignment check (start_port % 100 = 0),
  constraint port_ranges_bounds check (start_port >= 3000 and end_port <= 64999),
  constraint port_ranges_cooldown check (reuse_cooldown_seconds between 0 and 2592000),
  constraint port_ranges_no_overlap exclude using gist (int4range(start_port, end_port, '[]') with &&)
);
create index port_ranges_by_project on port_ranges (project, start_port);

create table port_allocations (
  id uuid primary key default gen_random_uuid(),
  port integer not null,
  project registry_name not null,
  service registry_name not null,
  environment registry_name not null default 'default',
  host registry_host not null default 'localhost',
  protocol transport_protocol not null default 'tcp',
  status text not null default 'allocated',
  service_type text,
  description text,
  cloudflare_hostname text,
  metadata jsonb,
  allocated_at timestamptz(3) not null default clock_timestamp(),
  last_used_at timestamptz(3),
  released_at timestamptz(3),
  updated_at timestamptz(3) not null default clock_timestamp(),
  constraint port_allocations_port check (port between 3000 and 64999),
  constraint port_allocations_status check (status in ('allocated', 'in_use', 'released')),
  constraint port_allocations_released check ((status = 'released') = (released_at is not null)),
  constraint port_allocations_metadata check (jsonb_typeof(metadata) = 'object')
);
-- Active means released_at is null, in every partial index: allocated <-> in_use touches none of them,
-- and a released row blocks nothing.
create unique index port_allocations_active_port
  on port_allocations (host, protocol, port) where released_at is null;
create index port_allocations_active_key
  on port_allocations (project, service, environment, host, protocol, port) where released_at is null;
create index port_allocations_active_hostname
  on port_allocations (cloudflare_hostname) where released_at is null and cloudflare_hostname is not null;
-- The last release of a port, for cooldowns.
create index port_allocations_releases
  on port_allocations (host, protocol, port, released_at desc) where released_at is not null;
-- Pages of the list, history included.
create index port_allocations_pages on port_allocations (port, id);

create table port_health_checks (
  id uuid primary key default gen_random_uuid(),
  allocation_id uuid not null references port_allocations (id) on delete cascade,
  port integer not null,
  host registry_host not null,
  outcome text not null,
  response_time_ms double precision,
  error text,
  checked_at timestamptz(3) not null default clock_timestamp(),
  constraint port_health_checks_outcome check (outcome in ('open', 'refused', 'timeout', 'unreachable'))
);
create index port_health_checks_history on port_health_checks (allocation_id, checked_at desc, id desc);
create index port_health_checks_age on port_health_checks (checked_at);

-- A reservation whose expires_at has passed holds nothing, whatever its status says; the status is
-- brought up to date by cleanup_expired_reservations() and by whoever reserves the port next.
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
create index port_reservations_by_allocation on port_reservations (allocation_id) where allocation_id is not null;

create table idempotency_keys (
  project registry_name not null,
  caller text not null,
  key text not null,
  request_hash text not null,
  status integer not null,
  response jsonb not null,
  created_at timestamptz(3) not null default clock_timestamp(),
  primary key (project, caller, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);
