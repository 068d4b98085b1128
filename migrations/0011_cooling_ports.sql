-- Which ports are cooling down: released less than the range's reuse_cooldown_seconds ago, and not allocated since.

-- Functions find this registry's tables whatever the caller's search_path is, so that a person can call them with the
-- schema in front of the name. The names in a body of `begin atomic` are resolved when the function is created, and
-- PostgreSQL can still inline it. A PL/pgSQL body is text, so its function sets the search_path that it was created
-- with (`from current`).

-- The ports of one range that are cooling down, with the key that released each of them and may have it back at once.
-- Reserved ports are included: a port that cools down under a reservation goes on cooling down when the reservation ends.
--
-- The last release of each port is found by one step into an index, however long the history is. Sequential scans are off
-- because a plan that was cached while the table was small would go on reading the whole table. Bitmap scans are
-- off because they never mark dead index entries, which would pile up where ports are taken and released often. Whether
-- a port is taken is asked by a scalar subquery, for the reason that taken_ports gives.
--
-- A statement that also reads taken_ports gives the moment that taken_ports compares with, so that the two agree.
create function cooling_ports(
  range_start integer, host text, protocol text, moment timestamptz default clock_timestamp())
returns table (port integer, project text, service text, environment text, available_at timestamptz)
language sql stable
set enable_bitmapscan = off
set enable_seqscan = off
begin atomic
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
    and last.released_at + make_interval(secs => r.reuse_cooldown_seconds) > cooling_ports.moment
    and (
      select a.id from port_allocations a
      where a.released_at is null and a.host = cooling_ports.host
        and a.protocol = cooling_ports.protocol and a.port = candidate.port
    ) is null
  order by candidate.port;
end;

-- The ports of one range that are cooling down, and neither reserved nor excluded.
create function unreserved_cooling_ports(
  range_start integer, host text, protocol text, moment timestamptz default clock_timestamp())
returns table (port integer, project text, service text, environment text, available_at timestamptz)
language sql stable
set enable_bitmapscan = off
set enable_seqscan = off
begin atomic
  select c.port, c.project, c.service, c.environment, c.available_at
  from cooling_ports(
    unreserved_cooling_ports.range_start, unreserved_cooling_ports.host, unreserved_cooling_ports.protocol,
    unreserved_cooling_ports.moment) c
  where (
    select v.id from port_reservations v
    where v.status = 'active' and v.expires_at > unreserved_cooling_ports.moment
      and v.host = unreserved_cooling_ports.host and v.protocol = unreserved_cooling_ports.protocol and v.port = c.port
  ) is null
    and (select e.port from excluded_ports e where e.port = c.port) is null
  order by c.port;
end;
