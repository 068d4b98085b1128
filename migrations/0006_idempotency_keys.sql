-- Answers that are given again when a caller repeats a request with the same Idempotency-Key.

create table idempotency_keys (
  -- '' for an import, which may change several projects. No project has this name.
  project text not null,
  caller text not null,
  key text not null,
  request_hash text not null,
  response jsonb not null,
  created_at timestamptz(3) not null default clock_timestamp(),
  primary key (project, caller, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);
