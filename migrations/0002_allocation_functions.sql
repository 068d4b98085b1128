-- What is free, cooling and counted, defined once for the service, for people at a psql prompt and
-- for the views. Functions that look take no lock; whoever acts on the answer locks the project's
-- range rows first and looks in a later statement (READ COMMITTED gives each its own snapshot).
--
-- SQLSTATEs of this project: PA001 project not found, PA002 range exhausted, PA003 wrong isolation
-- level, PA004 invalid argument.
--
-- The search for gaps reads the partial indexes by plain index scans, whatever the planner's mood:
-- a plan cached while the table was small would go on reading all of it, and a bitmap scan never marks
-- dead index entries, so that fast churn would pile them up.

-- Ports of one range that were released less than the range's cooldown ago, and the key that may have
-- each of them back at once. One index probe a port, however long the history is.
create function cooling_ports(range_start integer, host text, protocol text)
returns table (port integer, project text, service text, environment text, available_at timestamptz)
language sql stable
set enable_bitmapscan = off
set enable_seqscan = off
as $$
  select candidate.port, last.project, last.service, last.environment,
         last.released_at + make_interval(secs => r.reuse_cooldown_seconds)
  from port_ranges r
  cross join lateral generate_series(r.start_port, r.end_port) as candidate (port)
  cross join lateral (
    select a.project, a.service, a.environment, a.released_at
    from port_allocations a
    where a.host = cooling_ports.host and a.protocol = cooling_ports.protocol
      and a.port = candidate.port and a.released_at is not null
    order by a.released_at desc
    limit 1
  ) last
  where r.start_port = range_start
    and r.reuse_cooldown_seconds > 0
    and last.released_at + make_interval(secs => r.reuse_cooldown_seconds) > clock_timestamp()
    and not exists (
      select from port_allocations a
      where a.released_at is null and a.host = cooling_ports.host
        and a.protocol = cooling_ports.protocol and a.port = candidate.port)
    and not exists (
      select from port_reservations v
      where v.status = 'active' and v.expires_at > clock_timestamp() and v.host = cooling_ports.host
        and v.protocol = cooling_ports.protocol and v.port = candidate.port)
  order by candidate.port
$$;

-- The lowest `wanted` ports of a project that are neither allocated, reserved nor cooling down.
create function free_ports(project text, host text, protocol text, wanted integer)
returns setof integer
language plpgsql stable
set enable_bitmapscan = off
set enable_seqscan = off
as $$
declare
  r record;
  missing integer := wanted;
  found_here integer;
begin
  for r in
    select pr.start_port, pr.end_port, pr.reuse_cooldown_seconds
    from port_ranges pr where pr.project = free_ports.project order by pr.start_port
  loop
    exit when missing <= 0;
    return query
      select candidate.port from (
        select generate_series(r.start_port, r.end_port) as port
        except
        select a.port from port_allocations a
        where a.released_at is null and a.host = free_ports.host and a.protocol = free_ports.protocol
          and a.port between r.start_port and r.end_port
        except
        select v.port from port_reservations v
        where v.status = 'active' and v.expires_at > clock_timestamp()
          and v.host = free_ports.host and v.protocol = free_ports.protocol
          and v.port between r.start_port and r.end_port
        except
        select c.port from cooling_ports(r.start_port, free_ports.host, free_ports.protocol) c
        where r.reuse_cooldown_seconds > 0
      ) candidate
      order by candidate.port
      limit missing;
    get diagnostics found_here = row_count;
    missing := missing - found_here;
  end loop;
end
$$;

-- When the next port of a project comes free by itself, because a reservation ends or a cooldown passes.
create function next_port_available_at(project text, host text, protocol text) returns timestamptz
language sql stable as $$
  select min(free_at.time)
  from port_ranges r
  cross join lateral (
    select v.expires_at from port_reservations v
    where v.status = 'active' and v.expires_at > clock_timestamp() and v.host = next_port_available_at.host
      and v.protocol = next_port_available_at.protocol and v.port between r.start_port and r.end_port
    union all
    select c.available_at
    from cooling_ports(r.start_port, next_port_available_at.host, next_port_available_at.protocol) c
  ) free_at (time)
  where r.project = next_port_available_at.project
$$;

-- Counts of every range in one port space. A port is counted once: allocated, else reserved, else cooling.
create function range_counts(host text default 'localhost', protocol text default 'tcp')
returns table (
  start_port integer, total_ports integer, allocated_ports integer, in_use_ports integer,
  reserved_ports integer, cooling_ports integer, available_ports integer, utilization numeric)
language sql stable as $$
  select r.start_port, size.total, held.allocated, held.in_use, reserved.count, cooling.count,
         size.total - held.allocated - reserved.count - cooling.count,
         round(100.0 * held.allocated / size.total, 2)
  from port_ranges r
  cross join lateral (select r.end_port - r.start_port + 1 as total) size
  cross join lateral (
    select count(*)::integer as allocated, (count(*) filter (where a.status = 'in_use'))::integer as in_use
    from port_allocations a
    where a.released_at is null and a.host = range_counts.host and a.protocol = range_counts.protocol
      and a.port between r.start_port and r.end_port
  ) held
  cross join lateral (
    select count(*)::integer
    from port_reservations v
    where v.status = 'active' and v.expires_at > clock_timestamp() and v.host = range_counts.host
      and v.protocol = range_counts.protocol and v.port between r.start_port and r.end_port
      and not exists (
        select from port_allocations a
        where a.released_at is null and a.host = v.host and a.protocol = v.protocol and a.port = v.port)
  ) reserved
  cross join lateral (
    select case when r.reuse_cooldown_seconds = 0 then 0 else (
      select count(*)::integer from cooling_ports(r.start_port, range_counts.host, range_counts.protocol)
    ) end as count
  ) cooling
$$;

-- A stale snapshot would go unnoticed: the lock does not modify the row.
create function demand_read_committed() returns void
language plpgsql as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'isolation level % is not supported', current_setting('transaction_isolation')
      using errcode = 'PA003', hint = 'Use READ COMMITTED, so that the look-up after the lock sees what was committed while it waited.';
  end if;
end
$$;

create function demand_host(host text) returns text
language plpgsql immutable as $$
begin
  if canonical_host(host) is null then
    raise exception '% is not a host', coalesce(quote_literal(host), 'null')
      using errcode = 'PA004', hint = 'Give a host name or an IP address.';
  end if;
  return canonical_host(host);
end
$$;

create function demand_protocol(protocol text) returns void
language plpgsql immutable as $$
begin
  if protocol is null or protocol not in ('tcp', 'udp') then
    raise exception '% is not a protocol', coalesce(quote_literal(protocol), 'null')
      using errcode = 'PA004', hint = 'Give tcp or udp.';
  end if;
end
$$;

-- Looks, takes no lock: someone else may have the port a moment later. To hold it, allocate.
create function find_available_port(project text, host text default 'localhost', protocol text default 'tcp')
returns integer
language plpgsql stable as $$
declare
  found_port integer;
begin
  perform demand_protocol(protocol);
  if not exists (select from port_ranges r where r.project = find_available_port.project) then
    raise exception 'project % has no range', coalesce(quote_literal(project), 'null') using errcode = 'PA001',
      hint = 'Insert one into port_ranges, or POST /v1/ranges.';
  end if;
  select free_ports(project, demand_host(host), protocol, 1) into found_port;
  if found_port is null then
    raise exception 'no free port is left for project % on % %', project, host, protocol using errcode = 'PA002',
      hint = 'Release a port, or give the project another range.';
  end if;
  return found_port;
end
$$;

-- Always a new port. A port still cooling down goes back to the key that released it, before any other.
create function allocate_port(
  project text, service text, environment text default 'default',
  host text default 'localhost', protocol text default 'tcp')
returns integer
language plpgsql volatile as $$
declare
  canonical text := demand_host(host);
  new_port integer;
begin
  perform demand_read_committed();
  perform demand_protocol(protocol);
  perform from port_ranges r where r.project = allocate_port.project order by r.start_port for update;
  if not found then -- and not later, or a range that has just come would be used without its lock
    raise exception 'project % has no range', coalesce(quote_literal(project), 'null') using errcode = 'PA001',
      hint = 'Insert one into port_ranges, or POST /v1/ranges.';
  end if;
  select c.port into new_port
  from port_ranges r
  cross join lateral cooling_ports(r.start_port, canonical, allocate_port.protocol) c
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

-- True if the port was held and is now released, false if nobody held it.
create function release_port(port integer, host text default 'localhost', protocol text default 'tcp')
returns boolean
language plpgsql volatile as $$
declare
  canonical text := demand_host(host);
  released_time timestamptz;
begin
  perform demand_read_committed();
  perform demand_protocol(protocol);
  perform from port_ranges locked
  where locked.project in (
    select r.project from port_ranges r where release_port.port between r.start_port and r.end_port)
  order by locked.start_port for update;
  released_time := clock_timestamp();
  update port_allocations a
  set status = 'released', released_at = released_time, updated_at = released_time
  where a.released_at is null and a.host = canonical and a.protocol = release_port.protocol
    and a.port = release_port.port;
  return found;
end
$$;

-- Marks what has expired, and tells how many. Nothing waits for it: an expired reservation holds nothing.
create function cleanup_expired_reservations() returns integer
language plpgsql volatile as $$
declare
  expired integer;
begin
  perform demand_read_committed();
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
         cloudflare_hostname, metadata, allocated_at, last_used_at, updated_at
  from port_allocations
  where released_at is null;

-- A row for every range on localhost/tcp, and one for every other port space that holds something.
create view port_range_utilization as
  select r.start_port, r.end_port, r.project, r.kind, r.description, space.host, space.protocol,
         c.total_ports, c.allocated_ports, c.in_use_ports, c.reserved_ports, c.cooling_ports,
         c.available_ports, c.utilization
  from (
    select 'localhost' as host, 'tcp' as protocol
    union select host, protocol from port_allocations where released_at is null
    union select host, protocol from port_reservations where status = 'active' and expires_at > clock_timestamp()
  ) space
  cross join lateral range_counts(space.host, space.protocol) c
  join port_ranges r on r.start_port = c.start_port
  where (space.host = 'localhost' and space.protocol = 'tcp')
     or c.allocated_ports + c.reserved_ports + c.cooling_ports > 0;
