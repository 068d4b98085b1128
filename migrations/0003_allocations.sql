-- Ports held for services, and the history of those that were released.

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
  -- When the hostname was set although another project had it. Nothing is routed to this allocation then, also not after
  -- the other project has given the hostname up: it has to be set again. Null where the hostname was free.
  hostname_withheld_at timestamptz(3),
  metadata jsonb,
  -- About how many bytes the row has as JSON. Pages are bounded by the sum, without reading metadata for it.
  json_bytes integer not null generated always as (
    500 + octet_length(host) + coalesce(octet_length(service_type), 0) + coalesce(octet_length(description), 0)
    + coalesce(octet_length(cloudflare_hostname), 0) + coalesce(octet_length(metadata::text), 0)
  ) stored,
  allocated_at timestamptz(3) not null default clock_timestamp(),
  last_used_at timestamptz(3),
  released_at timestamptz(3),
  updated_at timestamptz(3) not null default clock_timestamp(),
  constraint port_allocations_port check (port between 3000 and 64999),
  constraint port_allocations_status check (status in ('allocated', 'in_use', 'released')),
  constraint port_allocations_released check ((status = 'released') = (released_at is not null)),
  constraint port_allocations_withheld check (hostname_withheld_at is null or cloudflare_hostname is not null),
  constraint port_allocations_metadata check (jsonb_typeof(metadata) = 'object')
);

-- An allocation is active while released_at is null. The indexes say so with released_at and not with status, so that
-- a probe that turns 'allocated' into 'in_use', or back, changes none of them.

-- At most one active allocation for each port of a host and protocol.
create unique index port_allocations_active_port
  on port_allocations (host, protocol, port) where released_at is null;
-- Finds a key, and gives exports their order.
create index port_allocations_active_key
  on port_allocations (project, environment, service, host, protocol, port) where released_at is null;
-- Finds the hosts that a project uses. `localhost`, on which most ports are, is not among them.
create index port_allocations_active_hosts
  on port_allocations (project, host) where released_at is null and host <> 'localhost';
-- With the time, so that who has a hostname is found however many allocations it is withheld from.
create index port_allocations_active_hostname
  on port_allocations (cloudflare_hostname, hostname_withheld_at) where released_at is null and cloudflare_hostname is not null;
-- The order of routes in exports: longer hostnames first, and wildcards last. Exports alone ask for `length(…) > 0`. With
-- `is not null` PostgreSQL would also read this whole index for the hostnames of one project.
create index port_allocations_routes
  on port_allocations ((cloudflare_hostname like '*%'), (-length(cloudflare_hostname)), cloudflare_hostname collate "C")
  where released_at is null and protocol = 'tcp' and length(cloudflare_hostname) > 0;
-- Finds when a port was last released, for cooldowns, gives the history of a port, the newest first, and finds what was
-- held at a moment. Two rows of a port may have the same time of release. What was allocated last is the newer one then.
create index port_allocations_releases
  on port_allocations (host, protocol, port, released_at desc, allocated_at desc, id desc) where released_at is not null;
-- Finds what is older than HISTORY_RETENTION_DAYS.
create index port_allocations_history_age on port_allocations (released_at) where released_at is not null;
-- Pages of the list of allocations, which can include the released ones.
create index port_allocations_pages on port_allocations (port, id);

-- Hostnames that a project has given up and that are still kept for it: as long as the cooldown of the range in which
-- the port lies. Whoever sets a hostname takes an advisory lock and looks here and at the active allocations
-- (src/allocator/hostnames.ts).
create table kept_hostnames (
  hostname text primary key,
  project registry_name not null,
  kept_until timestamptz(3) not null
);
create index kept_hostnames_age on kept_hostnames (kept_until);
create index kept_hostnames_project on kept_hostnames (project);
