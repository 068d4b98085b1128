-- Results of probes of allocated ports.

create table port_health_checks (
  id uuid primary key default gen_random_uuid(),
  allocation_id uuid not null references port_allocations (id) on delete cascade,
  -- The allocation's, which never changes.
  project registry_name not null,
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
-- Finds what is beyond MAX_HEALTH_CHECKS_PER_PROJECT.
create index port_health_checks_by_project on port_health_checks (project, checked_at);
