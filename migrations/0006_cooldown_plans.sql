-- Whether a port is taken is asked by a scalar subquery, which PostgreSQL executes for each port, by the index of ports.
-- `not exists` may become a join, and without statistics PostgreSQL 17 joined all that a host holds, for every look.

create or replace function resting_ports(range_start integer, host text, protocol text)
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
    and (
      select a.id from port_allocations a
      where a.released_at is null and a.host = resting_ports.host
        and a.protocol = resting_ports.protocol and a.port = candidate.port
    ) is null
  order by candidate.port
$$;

create or replace function cooling_ports(range_start integer, host text, protocol text)
returns table (port integer, project text, service text, environment text, available_at timestamptz)
language sql stable
set enable_bitmapscan = off
set enable_seqscan = off
as $$
  select c.port, c.project, c.service, c.environment, c.available_at
  from resting_ports(cooling_ports.range_start, cooling_ports.host, cooling_ports.protocol) c
  where (
    select v.id from port_reservations v
    where v.status = 'active' and v.expires_at > clock_timestamp() and v.host = cooling_ports.host
      and v.protocol = cooling_ports.protocol and v.port = c.port
  ) is null
  order by c.port
$$;
