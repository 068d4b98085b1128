-- Reservations and cooldowns on one port, imports that span projects.

-- An import's Idempotency-Key belongs to no one project: it is kept under '', which is no project's name.
alter table idempotency_keys alter column project type text;

-- Ports of one range that were released less than the range's cooldown ago and that nobody has allocated
-- since, whether or not someone has them reserved: what cools under a reservation cools on when that ends.
-- One index probe a port, however long the history is.
create function resting_ports(range_start integer, host text, protocol text)
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
    where a.host = resting_ports.host and a.protocol = resting_ports.protocol
      and a.port = candidate.port and a.released_at is not null
    order by a.released_at desc
    limit 1
  ) last
  where r.start_port = range_start
    and r.reuse_cooldown_seconds > 0
    and last.released_at + make_interval(secs => r.reuse_cooldown_seconds) > clock_timestamp()
    and not exists (
      select from port_allocations a
      where a.released_at is null and a.host = resting_ports.host
        and a.protocol = resting_ports.protocol and a.port = candidate.port)
  order by candidate.port
$$;

-- The same without those that are reserved: a port is counted once.
create or replace function cooling_ports(range_start integer, host text, protocol text)
returns table (port integer, project text, service text, environment text, available_at timestamptz)
language sql stable
set enable_bitmapscan = off
set enable_seqscan = off
as $$
  select c.port, c.project, c.service, c.environment, c.available_at
  from resting_ports(cooling_ports.range_start, cooling_ports.host, cooling_ports.protocol) c
  where not exists (
    select from port_reservations v
    where v.status = 'active' and v.expires_at > clock_timestamp() and v.host = cooling_ports.host
      and v.protocol = cooling_ports.protocol and v.port = c.port)
  order by c.port
$$;

-- When the next port of a project comes free by itself: a reservation ends, a cooldown passes, or both.
create or replace function next_port_available_at(project text, host text, protocol text) returns timestamptz
language sql stable as $$
  select min(greatest(reserved.expires_at, cooling.available_at))
  from (
    select v.port, v.expires_at
    from port_ranges r
    join port_reservations v on v.port between r.start_port and r.end_port
    where r.project = next_port_available_at.project and v.status = 'active'
      and v.expires_at > clock_timestamp() and v.host = next_port_available_at.host
      and v.protocol = next_port_available_at.protocol
  ) reserved
  full join (
    select c.port, c.available_at
    from port_ranges r
    cross join lateral resting_ports(r.start_port, next_port_available_at.host, next_port_available_at.protocol) c
    where r.project = next_port_available_at.project and r.reuse_cooldown_seconds > 0
  ) cooling using (port)
$$;

-- Looks, takes no lock: someone else may have the port a moment later. To hold it, allocate.
create or replace function find_available_port(
  project text, host text default 'localhost', protocol text default 'tcp')
returns integer
language plpgsql stable as $$
declare
  found_port integer;
  next_time timestamptz;
begin
  perform demand_protocol(protocol);
  if not exists (select from port_ranges r where r.project = find_available_port.project) then
    raise exception 'project % has no range', coalesce(quote_literal(project), 'null') using errcode = 'PA001',
      hint = 'Insert one into port_ranges, or POST /v1/ranges.';
  end if;
  select free_ports(project, demand_host(host), protocol, 1) into found_port;
  if found_port is null then
    next_time := next_port_available_at(project, demand_host(host), protocol);
    raise exception 'no free port is left for project % on % %', project, host, protocol using errcode = 'PA002',
      hint = 'Release a port, or give the project another range.'
        || coalesce(' The next one comes free by itself at ' || next_time || '.', '');
  end if;
  return found_port;
end
$$;
