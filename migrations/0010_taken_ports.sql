-- Which ports are taken: held by an active allocation, or reserved.

-- Each port once. A port that is both allocated and reserved is listed as allocated. All counts, and the state of a single
-- port, are made of this view and of unreserved_cooling_ports(), which lists no port that is taken.
--
-- Whether a reservation has expired is compared with the start of the statement, as stored times are, in milliseconds. So
-- everything that one statement reads is of one moment: its counts agree with the state of each port. `+ interval '0'`
-- keeps PostgreSQL from the index by expiry, which it may prefer as long as its statistics know of few reservations, and
-- which would make it read the reservations of all ports.
--
-- Give host and protocol, and a port or a span of ports, and PostgreSQL reads the indexes of active ports. Whether a
-- reserved port is allocated is asked by a scalar subquery, which PostgreSQL executes for each reservation by an index.
-- `not exists` may become a join, and on tables without statistics PostgreSQL 17 joined all that a host holds.
create view taken_ports as
  select a.host, a.protocol, a.port, a.status as state
  from port_allocations a
  where a.released_at is null
  union all
  select v.host, v.protocol, v.port, 'reserved'
  from port_reservations v
  where v.status = 'active' and v.expires_at + interval '0' > statement_timestamp()::timestamptz(3)
    and (
      select a.id from port_allocations a
      where a.released_at is null and a.host = v.host and a.protocol = v.protocol and a.port = v.port
    ) is null;
