-- What the registry has done to Cloudflare tunnels (src/services/cloudflare/). The rules of a tunnel cannot be marked, so
-- that the registry remembers what it wrote, and touches a rule only while it is still as it was written.

create table cloudflare_hostnames (
  tunnel_id text not null,
  hostname text not null,
  -- Every service that may stand in the rule: the one that was written, and while it is being replaced also the new one,
  -- because the process may end before it knows which of the two Cloudflare has.
  services text[] not null,
  primary key (tunnel_id, hostname)
);

create table cloudflare_tunnels (
  tunnel_id text primary key,
  -- When somebody called apply for the first time. Before that, nothing is changed unasked.
  following_since timestamptz(3),
  -- Of the change feed: up to here all hostnames have been brought to Cloudflare.
  position bigint not null default 0,
  succeeded_at timestamptz(3),
  pending_changes integer,
  conflicts integer,
  -- The failures since the last success, and why the last one failed. No pass is made unasked before retry_at.
  failures integer not null default 0,
  failed_at timestamptz(3),
  error text,
  retry_at timestamptz(3),
  -- Cloudflare wants no call before that, not even one that somebody asks for (Retry-After).
  calls_at timestamptz(3)
);
