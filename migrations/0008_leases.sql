-- Scheduled work that one replica does for all of them. A replica takes the row of the work until expires_at.
--
-- An advisory lock of a session would not do. Behind a pooler in transaction mode each transaction may run in another
-- session, and when a machine is lost its session may keep the lock for a long time.

create table leases (
  name text primary key,
  holder text not null,
  expires_at timestamptz(3) not null,
  -- The last scheduled time that a replica took, so that a replica with a slow clock does not repeat the work.
  occurrence timestamptz(3) not null
);
