-- Webhooks: events that are sent to a URL, each as one POST.
--
-- One replica at a time sends (src/services/webhooks/). It goes along the feed, and writes a delivery for each event and each
-- webhook that wants it, in the transaction that advances webhooks.position. So no event is left out or sent twice because
-- a process ended. What was sent is written afterwards: a process that ends between the two sends again, with the same id.

create table webhooks (
  id uuid primary key default gen_random_uuid(),
  -- Its path and its query may hold a secret of the receiver. Events and the log have the origin alone.
  url text not null,
  -- Which events it gets. Empty for all.
  types text[] not null default '{}',
  projects text[] not null default '{}',
  description text,
  -- With which deliveries are signed. It has to be readable for that.
  secret text not null,
  -- The id of the caller that made it.
  created_by text not null,
  -- The key with the role project that answers for it: that made it, switched it on, or set its URL last. It is switched off
  -- when that key ends. Null where that was an admin.
  key_id uuid,
  created_at timestamptz(3) not null default clock_timestamp(),
  -- Of the feed: deliveries are written for all events up to this one.
  position bigint not null,
  -- How often it was switched off. What was pending then has a lower number, and is not sent any more.
  generation integer not null default 0,
  -- Null while it is switched on.
  disabled_at timestamptz(3),
  disabled_reason text,
  constraint webhooks_url check (length(url) <= 2048),
  constraint webhooks_disabled check ((disabled_at is null) = (disabled_reason is null))
);
create index webhooks_pages on webhooks (created_at, id);

create table webhook_deliveries (
  -- What the receiver gets as webhook-id, in every attempt.
  id uuid primary key default gen_random_uuid(),
  webhook_id uuid not null references webhooks on delete cascade,
  -- Of the event in the feed.
  position bigint not null,
  type text not null,
  -- Deliveries of one webhook and one project are sent one after another. Empty where the event has none.
  project text not null,
  -- That of the webhook when it was written, or was last repeated by request.
  generation integer not null default 0,
  status text not null default 'pending',
  attempts integer not null default 0,
  -- Null if it may be sent at once.
  next_attempt_at timestamptz(3),
  response_status integer,
  error text,
  created_at timestamptz(3) not null default clock_timestamp(),
  -- Since when it is to be sent: when it was written, or was last repeated by request.
  queued_at timestamptz(3) not null default clock_timestamp(),
  ended_at timestamptz(3),
  constraint webhook_deliveries_status check (status in ('pending', 'delivered', 'failed')),
  constraint webhook_deliveries_ended check ((status = 'pending') = (ended_at is null))
);
-- The list of a webhook, newest first. Also holds that no event is written twice.
create unique index webhook_deliveries_pages on webhook_deliveries (webhook_id, position);
create index webhook_deliveries_failed on webhook_deliveries (webhook_id, position) where status = 'failed';
-- What is to be sent next, project after project. What is left of earlier generations comes before that, and is found apart.
create index webhook_deliveries_pending on webhook_deliveries (webhook_id, generation, project, position)
  where status = 'pending';
-- What is tried at once when a webhook is switched on.
create index webhook_deliveries_waiting on webhook_deliveries (webhook_id)
  where status = 'pending' and next_attempt_at is not null;

-- What is pending when a webhook is switched off is not sent any more, also when it is switched on again: it would send what
-- happened long ago. A million deliveries may be pending, and to end them here would take longer than the statement of
-- whoever switches it off may take, or revokes its key. So this counts the generation up, and the replica that sends ends
-- them afterwards. The service locks the row of the webhook before it writes deliveries.
create function begin_webhook_generation() returns trigger
language plpgsql
as $$
begin
  new.generation := old.generation + 1;
  return new;
end
$$;
create trigger webhooks_disabled before update of disabled_at on webhooks
  for each row when (old.disabled_at is null and new.disabled_at is not null)
  execute function begin_webhook_generation();

-- Whoever has a key of a project must not go on getting events when it is revoked, or when projects are taken from it, which
-- somebody can do at a psql prompt. Webhooks that admins made go on without their keys. The service locks the row of every
-- key before it writes a webhook with it.
create function disable_webhooks_of_key() returns trigger
language plpgsql
set search_path from current
as $$
begin
  if tg_op = 'DELETE' then
    update webhooks set disabled_at = clock_timestamp(), disabled_reason = 'The key that answers for it was revoked.'
    where key_id = old.id and disabled_at is null;
  else
    update webhooks
    set disabled_at = clock_timestamp(), disabled_reason = 'The key that answers for it may not see all its projects any more.'
    where key_id = new.id and disabled_at is null and not (cardinality(projects) > 0 and projects <@ new.projects);
  end if;
  return null;
end
$$;
create trigger api_keys_webhooks after delete on api_keys
  for each row execute function disable_webhooks_of_key();
create trigger api_keys_webhooks_of_projects after update of role, projects on api_keys
  for each row when (new.role <> 'admin') execute function disable_webhooks_of_key();

-- What an event has of a webhook.
create function told_of_webhook(webhook jsonb) returns jsonb
language sql immutable
as $$
  select (webhook - '{secret,position,generation,key_id}'::text[])
    || case when webhook ? 'url' then jsonb_build_object('url', substring(webhook ->> 'url' from '^[a-z]+://[^/?#]+')) else '{}' end
$$;

create function record_webhook_change() returns trigger
language plpgsql
set search_path from current
as $$
declare
  webhook jsonb := case when tg_op = 'DELETE' then to_jsonb(old) else to_jsonb(new) end;
  fields jsonb := case when tg_op = 'UPDATE' then changed_fields(to_jsonb(old), to_jsonb(new)) - '{position,generation,key_id}'::text[] end;
begin
  if fields = '{}' then
    return null;
  end if;
  insert into new_events (type, project, subject, actor, data)
  values ('webhook.' || case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'changed' else 'deleted' end,
          null, 'webhooks/' || (webhook ->> 'id'), current_actor(),
          jsonb_build_object('webhook', told_of_webhook(webhook)) || case when fields is null then '{}' else
            jsonb_build_object('changed', (select jsonb_agg(key) from jsonb_object_keys(fields) key), 'previous', told_of_webhook(fields)) end);
  return null;
end
$$;
-- There is no event for the advances of its position.
create trigger webhooks_recorded after insert or delete or update of url, types, projects, description, secret, disabled_at on webhooks
  for each row execute function record_webhook_change();
