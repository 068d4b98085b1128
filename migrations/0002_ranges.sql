-- Blocks of ports, each of which belongs to one project on every host. The rows are also the lock of the project: whoever
-- changes what a project holds locks its ranges first, in the order of start_port.

-- Times are kept to the millisecond, here and in the other tables. Answers carry milliseconds, so an answer that is
-- built from the values written equals one that is read back later.
create table port_ranges (
  start_port integer primary key,
  end_port integer not null,
  project registry_name not null,
  kind text not null default 'project',
  description text,
  reuse_cooldown_seconds integer not null default 0,
  created_at timestamptz(3) not null default clock_timestamp(),
  constraint port_ranges_kind check (kind in ('project', 'shared')),
  constraint port_ranges_size check (
    end_port - start_port + 1 = case kind when 'project' then 100 when 'shared' then 1000 end
  ),
  constraint port_ranges_alignment check (start_port % 100 = 0),
  constraint port_ranges_bounds check (start_port >= 3000 and end_port <= 64999),
  constraint port_ranges_cooldown check (reuse_cooldown_seconds between 0 and 2592000),
  -- A check in code would let two processes insert overlapping ranges at the same time.
  constraint port_ranges_no_overlap exclude using gist (int4range(start_port, end_port, '[]') with &&)
);
create index port_ranges_by_project on port_ranges (project, start_port);
