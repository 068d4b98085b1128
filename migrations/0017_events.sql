-- Who changed what: the change feed.
--
-- Triggers write an event in the transaction of each change, so that there is no change without one, whoever makes it: the
-- service, the SQL functions, or an UPDATE at a psql prompt.
--
-- Readers need one order in which nothing appears behind them. The ids of new_events are no such order: they are given
-- before their transactions commit. A slow transaction has id 7, a fast one has id 8 and commits first; whoever has read
-- 8 by then, and goes on behind it, never sees 7. So events are written to new_events, and moved to events after
-- their transaction has committed, by one process at a time (src/repositories/events/events.ts). It gives each a position, and 7
-- gets a position behind 8.

-- Whether this is an actor as readers of events expect it. A constraint that is null is met, and so this is never null.
create function is_actor(actor jsonb) returns boolean
language sql immutable
as $$
  select coalesce(jsonb_typeof(actor) = 'object' and actor ->> 'kind' in ('key', 'anonymous', 'service', 'sql')
    and actor ?& '{keyId,name,client}', false)
$$;

create table new_events (
  id bigint generated always as identity primary key,
  type text not null,
  -- Null if the event is about no project in particular.
  project registry_name,
  -- What was changed: 'allocations/', for example, and its id.
  subject text not null,
  time timestamptz(3) not null default clock_timestamp(),
  actor jsonb not null,
  data jsonb not null,
  -- What somebody at a psql prompt writes must not make the feed unreadable.
  constraint new_events_type check (type in (
    'allocation.created', 'allocation.updated', 'allocation.released',
    'reservation.created', 'reservation.renewed', 'reservation.cancelled', 'reservation.claimed', 'reservation.expired',
    'range.created', 'range.changed', 'range.deleted', 'service.up', 'service.down', 'audit.finished',
    'api-key.created', 'api-key.changed', 'api-key.revoked',
    'environment.changed', 'environment.due', 'environment.released',
    'excluded-port.added', 'excluded-port.changed', 'excluded-port.removed',
    'webhook.created', 'webhook.changed', 'webhook.deleted')),
  constraint new_events_actor check (is_actor(actor)),
  constraint new_events_time check (isfinite(time)),
  constraint new_events_data check (jsonb_typeof(data) = 'object')
);

create table events (
  position bigint primary key,
  type text not null,
  project registry_name,
  subject text not null,
  time timestamptz(3) not null,
  -- The latest time of the events up to this one. An event of a slow transaction stands behind later ones, so that times go
  -- back and forth. These never go back, and finding where a time begins takes one look into the index.
  latest_time timestamptz(3) not null,
  actor jsonb not null,
  data jsonb not null,
  -- About how many bytes the row has as JSON. Pages are bounded by the sum.
  json_bytes integer not null generated always as (
    300 + octet_length(actor::text) + octet_length(data::text)
  ) stored
);
create index events_by_project on events (project, position);
create index events_by_type on events (type, position);
-- Finds where a time begins, and what is older than EVENT_RETENTION_DAYS.
create index events_by_time on events (latest_time, position);

-- One row, which whoever moves events locks.
create table event_feed (
  only_row boolean primary key default true check (only_row),
  -- The highest position that was given.
  last_position bigint not null default 0,
  -- The highest position that was deleted because of its age. A reader that stands before it has missed events.
  deleted_position bigint not null default 0
);
insert into event_feed default values;

-- Who makes the changes of this transaction. The service tells it in the setting port_allocator.actors (src/database/actors.ts):
-- an object with an actor for each id that is changed, for each 'environment ' and its name, for reservations that are found
-- 'expired' on the way, and under '' for everything else. At a psql prompt the setting is empty, and it is the SQL role.
create function current_actors() returns jsonb
language plpgsql stable
as $$
declare
  told text := current_setting('port_allocator.actors', true);
begin
  if told <> '' then
    return told::jsonb;
  end if;
  return jsonb_build_object('', jsonb_build_object(
    'kind', 'sql', 'keyId', null, 'name', session_user, 'client', nullif(current_setting('application_name'), '')));
end
$$;

create function current_actor() returns jsonb
language sql stable
set search_path from current
as $$
  select current_actors() -> ''
$$;

-- Who allocated and who released: history is kept longer than events are.
alter table port_allocations
  add column allocated_by jsonb not null default current_actor(),
  add column released_by jsonb,
  add constraint port_allocations_actors check (is_actor(allocated_by) and (released_by is null or is_actor(released_by)));

create function set_released_by() returns trigger
language plpgsql
set search_path from current
as $$
begin
  new.released_by := current_actor();
  return new;
end
$$;
create trigger port_allocations_released_by before update on port_allocations
  for each row when (new.released_at is not null and (new.released_by is null
    or (old.released_at is null and new.released_by = old.released_by))) -- released before, and made active again by hand
  execute function set_released_by();

-- The fields that differ, with their values before.
create function changed_fields(before jsonb, after jsonb) returns jsonb
language sql immutable
as $$
  select coalesce(jsonb_object_agg(b.key, b.value), '{}')
  from jsonb_each(before) b where b.value is distinct from after -> b.key
$$;

-- What an event has of an allocation. Metadata may have 16 KiB, and is in no event.
create function told_of_allocation(allocation jsonb) returns jsonb
language sql immutable
as $$
  select allocation - '{metadata,hostname_withheld_at,json_bytes,allocated_by,released_by}'::text[]
$$;

-- A row that is inserted at a psql prompt may be a released one.
create function record_inserted_allocations() returns trigger
language plpgsql
set search_path from current
as $$
begin
  insert into new_events (type, project, subject, actor, data)
  select e.type, n.project, 'allocations/' || n.id, e.actor, jsonb_build_object('allocation', told_of_allocation(to_jsonb(n)))
  from inserted n
  cross join lateral (
    values ('allocation.created', n.allocated_by, true),
           ('allocation.released', coalesce(n.released_by, n.allocated_by), n.released_at is not null)
  ) e (type, actor, happened)
  where e.happened;
  return null;
end
$$;
create trigger port_allocations_inserted after insert on port_allocations
  referencing new table as inserted
  for each statement execute function record_inserted_allocations();

-- The full join, which finds the same as an inner one because ids never change, keeps PostgreSQL from a nested loop. A
-- session keeps the plan that it made for updates of a single row; as a nested loop, it took 9 s for 1,000 rows with
-- metadata of 16 KiB.
create function record_updated_allocations() returns trigger
language plpgsql
set search_path from current
as $$
declare
  actors jsonb := current_actors();
begin
  insert into new_events (type, project, subject, actor, data)
  select e.type, n.project, 'allocations/' || n.id, coalesce(e.actor, actors -> n.id::text, actors -> ''),
         jsonb_build_object('allocation', told_of_allocation(to_jsonb(n))) || e.more
  from before o
  full join after n on n.id = o.id
  cross join lateral (
    select 'allocation.updated' as type, null::jsonb as actor, jsonb_build_object(
      'changed', (select jsonb_agg(key) from jsonb_object_keys(c.fields) key),
      'previous', c.fields - 'metadata') as more
    from (select changed_fields(to_jsonb(o), to_jsonb(n)) - '{status,hostname_withheld_at,json_bytes,last_used_at,updated_at}'::text[]
            as fields) c
    -- Compared first, because an audit updates thousands of rows in which nothing else than status and last_used_at changes.
    where n.released_at is null
      and (o.port, o.project, o.service, o.environment, o.host, o.protocol, o.service_type, o.description,
           o.cloudflare_hostname, o.metadata, o.allocated_at)
        is distinct from (n.port, n.project, n.service, n.environment, n.host, n.protocol, n.service_type, n.description,
           n.cloudflare_hostname, n.metadata, n.allocated_at)
    union all
    select case n.status when 'in_use' then 'service.up' else 'service.down' end, null, '{}'
    where n.status <> o.status and n.status <> 'released' and o.status <> 'released'
    union all
    select 'allocation.released', n.released_by, '{}' where n.released_at is not null and o.released_at is null
    union all
    select 'allocation.created', null, '{}' where n.released_at is null and o.released_at is not null
  ) e;
  return null;
end
$$;
create trigger port_allocations_updated after update on port_allocations
  referencing old table as before new table as after
  for each statement execute function record_updated_allocations();

-- Retention deletes what was released. Whoever deletes an active one at a psql prompt releases it by that.
create function record_deleted_allocations() returns trigger
language plpgsql
set search_path from current
as $$
begin
  insert into new_events (type, project, subject, actor, data)
  select 'allocation.released', o.project, 'allocations/' || o.id, current_actor(),
         jsonb_build_object('allocation', told_of_allocation(to_jsonb(o)))
  from deleted o where o.released_at is null;
  return null;
end
$$;
create trigger port_allocations_deleted after delete on port_allocations
  referencing old table as deleted
  for each statement execute function record_deleted_allocations();

-- What an event has of a reservation.
create function told_of_reservation(reservation jsonb) returns jsonb
language sql immutable
as $$
  select reservation - 'ended_at'
$$;

-- One that is inserted at a psql prompt may have ended.
create function record_inserted_reservations() returns trigger
language plpgsql
set search_path from current
as $$
declare
  actors jsonb := current_actors();
begin
  insert into new_events (type, project, subject, actor, data)
  select e.type, n.project, 'reservations/' || n.id, coalesce(actors -> n.id::text, actors -> ''),
         jsonb_build_object('reservation', told_of_reservation(to_jsonb(n)))
  from inserted n
  cross join lateral (
    values ('reservation.created', true), ('reservation.' || n.status, n.status <> 'active')
  ) e (type, happened)
  where e.happened;
  return null;
end
$$;
create trigger port_reservations_inserted after insert on port_reservations
  referencing new table as inserted
  for each statement execute function record_inserted_reservations();

-- A full join as above. With `<>` in its condition it would become an inner one.
create function record_updated_reservations() returns trigger
language plpgsql
set search_path from current
as $$
declare
  actors jsonb := current_actors();
begin
  insert into new_events (type, project, subject, actor, data)
  select case when n.status = 'active' then 'reservation.renewed' else 'reservation.' || n.status end,
         n.project, 'reservations/' || n.id,
         coalesce(actors -> n.id::text, case n.status when 'expired' then actors -> 'expired' end, actors -> ''),
         jsonb_build_object('reservation', told_of_reservation(to_jsonb(n)))
  from before o
  full join after n on n.id = o.id
  where n.status is distinct from o.status or (n.status = 'active' and n.expires_at is distinct from o.expires_at);
  return null;
end
$$;
create trigger port_reservations_updated after update on port_reservations
  referencing old table as before new table as after
  for each statement execute function record_updated_reservations();

-- Retention deletes what has ended. Whoever deletes an active one at a psql prompt cancels it by that.
create function record_deleted_reservations() returns trigger
language plpgsql
set search_path from current
as $$
begin
  insert into new_events (type, project, subject, actor, data)
  select 'reservation.cancelled', o.project, 'reservations/' || o.id, current_actor(),
         jsonb_build_object('reservation', told_of_reservation(to_jsonb(o)))
  from deleted o where o.status = 'active';
  return null;
end
$$;
create trigger port_reservations_deleted after delete on port_reservations
  referencing old table as deleted
  for each statement execute function record_deleted_reservations();

-- For tables of which a statement changes a row or a few. The arguments: the name of the object in the event's data, the
-- collection and the column that make its subject, and the types of the events for an insert, an update and a delete.
-- An empty type means no event. The project is that of the row, if it has a column for it.
create function record_change() returns trigger
language plpgsql
set search_path from current
as $$
declare
  object jsonb := case when tg_op = 'DELETE' then to_jsonb(old) else to_jsonb(new) end;
  type text := case tg_op when 'INSERT' then tg_argv[3] when 'UPDATE' then tg_argv[4] else tg_argv[5] end;
  fields jsonb := case when tg_op = 'UPDATE' then changed_fields(to_jsonb(old), to_jsonb(new)) end;
  -- Secrets, and what may be large.
  hidden text[] := '{hash,conflicts,json_bytes}';
begin
  if fields = '{}' then
    return null;
  end if;
  insert into new_events (type, project, subject, actor, data)
  values (type, object ->> 'project', tg_argv[1] || '/' || (object ->> tg_argv[2]), current_actor(),
          jsonb_build_object(tg_argv[0], object - hidden) || case when fields is null then '{}' else
            jsonb_build_object('changed', (select jsonb_agg(key) from jsonb_object_keys(fields) key), 'previous', fields - hidden) end);
  return null;
end
$$;
create trigger port_ranges_recorded after insert or update or delete on port_ranges
  for each row execute function record_change('range', 'ranges', 'start_port', 'range.created', 'range.changed', 'range.deleted');
create trigger excluded_ports_recorded after insert or update or delete on excluded_ports
  for each row execute function record_change(
    'excludedPort', 'excluded-ports', 'port', 'excluded-port.added', 'excluded-port.changed', 'excluded-port.removed');
-- There is no event for the updates that say when a key was last used.
create trigger api_keys_recorded
  after insert or delete or update of name, role, projects, hostnames, hosts, hash, expires_at on api_keys
  for each row execute function record_change('apiKey', 'api-keys', 'id', 'api-key.created', 'api-key.changed', 'api-key.revoked');
-- There is no event for its deletes, which make room for newer audits.
create trigger port_audits_recorded after insert on port_audits
  for each row execute function record_change('audit', 'audits', 'id', 'audit.finished', '', '');

-- Who has opted in to the expiry of an environment, or out of it. When it was used is no event.
create function record_environment_change() returns trigger
language plpgsql
set search_path from current
as $$
begin
  insert into new_events (type, project, subject, actor, data)
  values ('environment.changed', new.project, 'projects/' || new.project || '/environments/' || new.environment,
          coalesce(current_actors() -> ('environment ' || new.environment), current_actor()),
          jsonb_build_object('environment', to_jsonb(new) - '{used_at,told_at}'::text[]));
  return null;
end
$$;
create trigger environments_recorded_insert after insert on environments
  for each row when (new.expires_after_seconds is not null) execute function record_environment_change();
create trigger environments_recorded_update after update of expires_after_seconds, on_expiry on environments
  for each row when ((old.expires_after_seconds, old.on_expiry) is distinct from (new.expires_after_seconds, new.on_expiry))
  execute function record_environment_change();

-- An allocation or a reservation that changed its id would be another one in the feed, without a beginning.
create function refuse_new_id() returns trigger
language plpgsql
as $$
begin
  raise exception 'the id of a row of % never changes', tg_table_name using errcode = 'PA004';
end
$$;
create trigger port_allocations_id before update of id on port_allocations
  for each row when (old.id <> new.id) execute function refuse_new_id();
create trigger port_reservations_id before update of id on port_reservations
  for each row when (old.id <> new.id) execute function refuse_new_id();

-- For changes that are no change of one row, such as the release of a whole environment.
create function record_event(type text, project text, subject text, actor jsonb, data jsonb) returns void
language sql volatile
set search_path from current
as $$
  insert into new_events (type, project, subject, actor, data) values (type, project, subject, actor, data)
$$;
