-- Functions and views for people at a psql prompt.
--
-- Errors of these functions have an SQLSTATE of their own: PA001 project not found, PA002 range exhausted,
-- PA003 wrong isolation level, PA004 invalid argument.

-- In another isolation level a function would look at a snapshot from before it got the lock, and hand out a port that
-- somebody else took meanwhile. PostgreSQL would not notice, because the lock does not change the range row.
create function require_read_committed() returns void
language plpgsql
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'isolation level % is not supported', current_setting('transaction_isolation')
      using errcode = 'PA003', hint = 'Use READ COMMITTED, so that the look-up after the lock sees what was committed while it waited.';
  end if;
end
$$;

-- Returns the host in the form in which it is stored.
create function require_host(host text) returns text
language plpgsql immutable
set search_path from current
as $$
begin
  if canonical_host(host) is null then
    raise exception '% is not a host', coalesce(quote_literal(host), 'null')
      using errcode = 'PA004', hint = 'Give a host name or an IP address.';
  end if;
  return canonical_host(host);
end
$$;

create function require_protocol(protocol text) returns void
language plpgsql immutable
as $$
begin
  if protocol is null or protocol not in ('tcp', 'udp') then
    raise exception '% is not a protocol', coalesce(quote_literal(protocol), 'null')
      using errcode = 'PA004', hint = 'Give tcp or udp.';
  end if;
end
$$;

-- The lowest free port of a project. It takes no lock, so somebody else may take the port a moment later. To hold
-- a port, call allocate_port().
create function find_available_port(
  project text, host text default 'localhost', protocol text default 'tcp')
returns integer
language plpgsql stable
set search_path from current
as $$
declare
  found_port integer;
  next_time timestamptz;
  excluded integer;
begin
  perform require_protocol(protocol);
  if not exists (select from port_ranges r where r.project = find_available_port.project) then
    raise exception 'project % has no range', coalesce(quote_literal(project), 'null') using errcode = 'PA001',
      hint = 'Insert one into port_ranges, or POST /v1/ranges.';
  end if;
  select free_ports(project, require_host(host), protocol, 1) into found_port;
  if found_port is null then
    next_time := next_port_available_at(project, require_host(host), protocol);
    select sum(c.excluded_ports) into excluded
    from range_counts(require_host(host), protocol) c join port_ranges r using (start_port)
    where r.project = find_available_port.project;
    raise exception 'no free port is left for project % on % %', project, host, protocol using errcode = 'PA002',
      hint = 'Release a port, or give the project another range.'
        || coalesce(' The next one comes free by itself at ' || next_time || '.', '')
        || case when excluded > 0 then ' ' || excluded || ' of its ports are excluded (table excluded_ports).' else '' end;
  end if;
  return found_port;
end
$$;

-- Holds a new port each time, and returns it. A service that released a port gets that port back while it is cooling down,
-- and otherwise the lowest free one.
create function allocate_port(
  project text, service text, environment text default 'default',
  host text default 'localhost', protocol text default 'tcp')
returns integer
language plpgsql volatile
set search_path from current
as $$
declare
  canonical text := require_host(host);
  new_port integer;
begin
  perform require_read_committed();
  perform require_protocol(protocol);
  perform from port_ranges r where r.project = allocate_port.project order by r.start_port for update;
  -- Checked by the statement that locks. A later check could find a range that was inserted since, and is not locked.
  if not found then
    raise exception 'project % has no range', coalesce(quote_literal(project), 'null') using errcode = 'PA001',
      hint = 'Insert one into port_ranges, or POST /v1/ranges.';
  end if;
  select c.port into new_port
  from port_ranges r
  cross join lateral unreserved_cooling_ports(r.start_port, canonical, allocate_port.protocol) c
  where r.project = allocate_port.project and r.reuse_cooldown_seconds > 0
    and c.project = allocate_port.project and c.service = allocate_port.service
    and c.environment = allocate_port.environment
  order by c.port limit 1;
  if new_port is null then
    new_port := find_available_port(project, canonical, protocol);
  end if;
  insert into port_allocations (port, project, service, environment, host, protocol)
  values (new_port, allocate_port.project, allocate_port.service, allocate_port.environment, canonical, allocate_port.protocol);
  return new_port;
end
$$;

-- Returns true if the port was held and is released now, false if nobody held it.
create function release_port(port integer, host text default 'localhost', protocol text default 'tcp')
returns boolean
language plpgsql volatile
set search_path from current
as $$
declare
  canonical text := require_host(host);
  released_time timestamptz;
  released port_allocations;
begin
  perform require_read_committed();
  perform require_protocol(protocol);
  perform from port_ranges locked
  where locked.project in (
    select r.project from port_ranges r where release_port.port between r.start_port and r.end_port)
  order by locked.start_port for update;
  released_time := clock_timestamp();
  update port_allocations a
  set status = 'released', released_at = released_time, updated_at = released_time
  where a.released_at is null and a.host = canonical and a.protocol = release_port.protocol
    and a.port = release_port.port
  returning a.* into released;
  if not found then
    return false;
  end if;
  delete from environments e
  where e.project = released.project and e.environment = released.environment
    and not exists (
      select from port_allocations a
      where a.released_at is null and a.project = e.project and a.environment = e.environment);
  insert into kept_hostnames (hostname, project, kept_until)
  select released.cloudflare_hostname, released.project, released_time + make_interval(secs => r.reuse_cooldown_seconds)
  from port_ranges r
  where released.port between r.start_port and r.end_port and r.reuse_cooldown_seconds > 0
    and released.cloudflare_hostname is not null and released.hostname_withheld_at is null
  on conflict (hostname) do update set project = excluded.project, kept_until = excluded.kept_until;
  return true;
end
$$;

-- Sets the status of reservations that have expired, and returns how many there were. Allocations do not depend on it, because
-- an expired reservation holds nothing, whatever its status is.
create function cleanup_expired_reservations() returns integer
language plpgsql volatile
set search_path from current
as $$
declare
  expired integer;
begin
  perform require_read_committed();
  update port_reservations v set status = 'expired', ended_at = v.expires_at
  where v.id in (
    select due.id from port_reservations due
    where due.status = 'active' and due.expires_at <= clock_timestamp()
    for update skip locked);
  get diagnostics expired = row_count;
  return expired;
end
$$;

create view active_port_allocations as
  select id, port, project, service, environment, host, protocol, status, service_type, description,
         cloudflare_hostname, hostname_withheld_at, metadata, allocated_at, last_used_at, updated_at
  from port_allocations
  where released_at is null;

-- The counts of every range on localhost and TCP, and on each other host and protocol where some of its ports are
-- taken or cooling down.
create view port_range_utilization as
  select r.start_port, r.end_port, r.project, r.kind, r.description, space.host, space.protocol,
         c.total_ports, c.allocated_ports, c.in_use_ports, c.reserved_ports, c.cooling_ports,
         c.excluded_ports, c.available_ports, c.utilization
  from (
    select 'localhost' as host, 'tcp' as protocol
    union select host, protocol from taken_ports
  ) space
  cross join lateral range_counts(space.host, space.protocol) c
  join port_ranges r on r.start_port = c.start_port
  where (space.host = 'localhost' and space.protocol = 'tcp')
     or c.allocated_ports + c.reserved_ports + c.cooling_ports > 0;
