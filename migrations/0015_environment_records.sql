-- What is on record of an environment besides its ports: the folder that it lives in, where a caller has told it, and
-- when it expires, where a caller has said so. Where neither is on record any more the row stays, with null in both.

-- A row is there only as long as its environment holds a port, on any host and protocol. Whoever releases ports removes
-- the rows of the environments that hold nothing any more, under the lock of the project's ranges. So an environment that
-- holds something never changes its path, and the next one that is given counts when it holds nothing.
create table environments (
  project registry_name not null,
  environment registry_name not null,
  path text,
  -- After how long without use the environment expires. Null if it never does.
  expires_after_seconds integer,
  -- 'tell' only writes the event environment.due. 'release' also releases the environment.
  on_expiry text,
  -- When the ports of the environment were last asked for together. Written only if it expires, and at most once an
  -- hour, or every 24th part of a time that is shorter than a day.
  used_at timestamptz(3),
  -- When environment.due was last written. It counts only if the environment was not used since.
  told_at timestamptz(3),
  primary key (project, environment),
  constraint environments_path check (char_length(path) between 1 and 4096),
  constraint environments_expires_after check (expires_after_seconds between 3600 and 31536000),
  constraint environments_on_expiry check (on_expiry in ('tell', 'release')),
  constraint environments_policy check (
    num_nulls(expires_after_seconds, on_expiry, used_at) in (0, 3) and (told_at is null or used_at is not null))
);
-- Finds which environment is on record for a folder. A B-tree cannot hold texts of this length.
create index environments_by_path on environments using hash (path);
-- Finds those that can expire.
create index environments_that_expire on environments (project, environment) where expires_after_seconds is not null;

-- When an environment that can expire was last used: a probe found one of its ports open, a port was allocated, or its
-- ports were asked for together.
create function environment_used_at(e environments) returns timestamptz
language sql stable
begin atomic
  select greatest(e.used_at, max(a.allocated_at), max(a.last_used_at))
  from port_allocations a
  where a.released_at is null and a.project = e.project and a.environment = e.environment;
end;

-- How long before its expiry environment.due tells of it: a day, or half of the time without use if that is shorter.
create function environment_notice(e environments) returns interval
language sql immutable
begin atomic
  select make_interval(secs => least(86400, e.expires_after_seconds / 2));
end;

-- When an environment expires; null if it never does. If nobody could tell of it in time, because the service was not
-- running, it expires later, so that there is always the same time between environment.due and a release.
create function environment_expires_at(e environments) returns timestamptz
language sql stable
begin atomic
  select greatest(
    used.at + make_interval(secs => e.expires_after_seconds),
    case when e.told_at > used.at then e.told_at + environment_notice(e) end)
  from (select environment_used_at(e) as at offset 0) used
  where e.expires_after_seconds is not null;
end;
