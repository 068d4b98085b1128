-- The keys that callers show, and what each of them may do.

create table api_keys (
  -- The public half of a key, by which the key is looked up.
  id uuid primary key default gen_random_uuid(),
  name text not null,
  role text not null,
  projects text[] not null default '{}',
  -- The Cloudflare hostnames, with all names below them, and the hosts to which a project's key is limited; null for any.
  hostnames text[],
  hosts text[],
  -- SHA-256 of the whole key. The key itself is not stored.
  hash bytea not null,
  -- The id of the key that made this one, or ADMIN_API_KEY. No reference: it stays when that key is revoked.
  created_by text not null,
  created_at timestamptz(3) not null default clock_timestamp(),
  expires_at timestamptz(3),
  last_used_at timestamptz(3),
  constraint api_keys_role check (role in ('admin', 'project', 'reader')),
  constraint api_keys_projects check ((role = 'project') = (cardinality(projects) > 0)),
  constraint api_keys_names check (role = 'project' or (hostnames is null and hosts is null)),
  constraint api_keys_hash check (length(hash) = 32)
);
create index api_keys_pages on api_keys (created_at, id);
