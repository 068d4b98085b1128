-- Which ports are free: neither allocated, nor reserved, nor cooling down, nor excluded. The service and allocate_port()
-- both ask here.
--
-- These functions take no lock. Whoever acts on their answer locks the project's range rows first, and calls them in
-- a later statement. In READ COMMITTED that statement sees what others committed while it waited for the lock.

-- The lowest `wanted` free ports of a project. Which scans are off, and why: see cooling_ports().
create function free_ports(project text, host text, protocol text, wanted integer)
returns setof integer
language plpgsql stable
set enable_bitmapscan = off
set enable_seqscan = off
set search_path from current
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
        except
        select e.port from excluded_ports e where e.port between r.start_port and r.end_port
      ) candidate
      order by candidate.port
      limit missing;
    get diagnostics found_here = row_count;
    missing := missing - found_here;
  end loop;
end
$$;

-- When the next port of a project comes free by itself. A reserved port comes free when its reservation ends, a cooling one
-- when its cooldown has passed, and a port that is both when both have happened. An excluded port
-- does not come free.
create function next_port_available_at(project text, host text, protocol text) returns timestamptz
language sql stable
begin atomic
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
    cross join lateral cooling_ports(r.start_port, next_port_available_at.host, next_port_available_at.protocol) c
    where r.project = next_port_available_at.project and r.reuse_cooldown_seconds > 0
  ) cooling using (port)
  where (select e.port from excluded_ports e where e.port = coalesce(reserved.port, cooling.port)) is null;
end;
