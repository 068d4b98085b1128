-- Ports that nobody is given unasked, on any host and protocol. Whoever asks for one by its number gets it.

create table excluded_ports (
  port integer primary key,
  reason text not null,
  created_at timestamptz(3) not null default clock_timestamp(),
  constraint excluded_ports_port check (port between 3000 and 64999),
  constraint excluded_ports_reason check (char_length(reason) between 1 and 1000)
);

-- The "bad ports" of the Fetch standard (https://fetch.spec.whatwg.org/#port-blocking), as far as a range can have them.
-- Browsers and Node's fetch() refuse to connect to them, whoever listens there.
insert into excluded_ports (port, reason)
select bad.port, 'Browsers and fetch() refuse it (' || bad.protocol || ', a bad port of the WHATWG Fetch standard).'
from (values
  (3659, 'apple-sasl'), (4045, 'npp'), (4190, 'sieve'), (5060, 'sip'), (5061, 'sips'), (6000, 'x11'), (6566, 'sane-port'),
  (6665, 'ircu'), (6666, 'ircu'), (6667, 'ircu'), (6668, 'ircu'), (6669, 'ircu'), (6679, 'osaut'), (6697, 'ircs-u'),
  (10080, 'amanda')
) as bad (port, protocol);

-- The excluded ports of a project's ranges. Sequential and bitmap scans are off for the reasons that cooling_ports() gives.
create function excluded_ports_of(project text) returns setof integer
language sql stable
set enable_bitmapscan = off
set enable_seqscan = off
begin atomic
  select e.port
  from port_ranges r
  join excluded_ports e on e.port between r.start_port and r.end_port
  where r.project = excluded_ports_of.project
  order by e.port;
end;
