-- Work that one replica does for all. A row with an expiry, and no advisory lock, because a session's
-- lock means nothing behind a transaction-mode pooler and ends late when a machine is lost.
create table leases (
  name text primary key,
  holder text not null,
  expires_at timestamptz(3) not null,
  -- The occurrence of the schedule that was taken last: a replica whose clock is late does not repeat it.
  occurrence timestamptz(3) not null
);
