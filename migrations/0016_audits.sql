-- Audits that were finished, with what they found.

create table port_audits (
  id uuid primary key default gen_random_uuid(),
  -- The scope that was asked for; null where no project or no host was named.
  project registry_name,
  host registry_host,
  unallocated boolean not null,
  -- The hosts on which every port of the ranges was probed, and not only those that are held.
  fully_probed_hosts text[] not null,
  -- The projects whose findings it has, in alphabetical order; null for all. Whoever does not see all of them does not
  -- see the audit.
  covers text[],
  requested_by text not null,
  checked_at timestamptz(3) not null default clock_timestamp(),
  duration_ms integer not null,
  allocated integer not null,
  in_use integer not null,
  not_running integer not null,
  health double precision,
  checked_ports integer not null,
  conflicts jsonb not null,
  -- About how many bytes the row has as JSON. Pages, and what is kept in all, are bounded by the sum, without reading
  -- the conflicts for it.
  json_bytes integer not null generated always as (500 + octet_length(conflicts::text)) stored,
  constraint port_audits_conflicts check (jsonb_typeof(conflicts) = 'array')
);

-- Newest first, and what is older than HEALTH_CHECK_RETENTION_DAYS.
create index port_audits_newest on port_audits (checked_at, id);
create index port_audits_by_project on port_audits (project, checked_at, id);
create index port_audits_by_host on port_audits (host, checked_at, id);
-- Those of everything: which of them are beyond the number that is kept, and the newest one.
create index port_audits_of_everything on port_audits (checked_at, id) where covers is null;
-- The same for those of some projects, and what the key of a project sees. A B-tree cannot hold a hundred names.
create index port_audits_by_covers on port_audits using gin (covers);
