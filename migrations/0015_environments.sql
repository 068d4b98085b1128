-- The folder that each environment lives in, where a caller has told it.

-- A row is there only as long as its environment holds a port, on any host and protocol. Whoever releases ports removes
-- the rows of the environments that hold nothing any more, under the lock of the project's ranges. So an environment that
-- holds something never changes its path, and the next one that is given counts when it holds nothing.
create table environment_paths (
  project registry_name not null,
  environment registry_name not null,
  path text not null,
  primary key (project, environment),
  constraint environment_paths_path check (char_length(path) between 1 and 4096)
);
-- Finds which environment is on record for a folder. A B-tree cannot hold texts of this length.
create index environment_paths_by_path on environment_paths using hash (path);
