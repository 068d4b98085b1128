import { join, sep } from 'node:path';

/** Something that a suite needs, which is there until `stop` is called. */
export interface Provided {
  /** Environment variables by which the tests find it. */
  readonly variables: Record<string, string>;
  stop(): Promise<void>;
}

export interface Suite {
  readonly proves: string;
  /** About how long it takes on two cores. */
  readonly takes: string;
  /** What has to be there, because nothing here provides it. */
  readonly requires?: string;
  /** The folder of test/ that has its tests. The quick suite has those that are in no other suite's folder. */
  readonly folder?: string;
  /** The folder of which the tests of this suite have to run most lines. The quick suite answers for the others. */
  readonly covers?: string;
  /** A program that is the whole suite, in place of test files. */
  readonly program?: string;
  /** Provides PostgreSQL, and a seeded data folder to copy. */
  readonly postgres?: true;
  readonly chromium?: true;
  /** By program, the Debian package that has it. */
  readonly debian?: Record<string, string>;
  /**
   * How many files share a process, one if it is not said. To load the service, tap and the helpers takes a process two
   * seconds, and the tests of a file of the quick suite take it about as long.
   */
  readonly filesPerProcess?: number;
  /** What one process may take, if it is more than usual. */
  readonly timeoutSeconds?: number;
  /**
   * How many processes run at the same time, if it is fewer than usual. One, where they assert how long something takes
   * or listen on the same ports, or where each starts processes enough for all cores; two, where each starts so many
   * that those of three wait for one another. One too, where they count the index entries that PostgreSQL reads: it
   * keeps dead ones for as long as a transaction runs that began to write before, be it in another database.
   */
  readonly processesAtATime?: 1 | 2;
}

/** Runs when no suite is named. */
export const quick: Suite = {
  proves: 'every operation, tool, table and setting; 90 % of the lines outside of src/cli are run; the default',
  takes: '3 min',
  postgres: true,
  filesPerProcess: 6,
  timeoutSeconds: 600,
};

/** Every suite by its name, as in `npm test -- crash`. */
export const suites: Record<string, Suite> = {
  quick,
  cli: {
    proves: 'what each command prints, does and refuses, on terminals too; 90 % of the lines of src/cli are run',
    takes: '2 min',
    folder: 'cli',
    covers: 'src/cli',
    postgres: true,
    timeoutSeconds: 300,
  },
  long: {
    proves: 'races, generated histories and input, access of each kind of key, limits',
    takes: '6 min',
    folder: 'long',
    postgres: true,
    timeoutSeconds: 600,
    processesAtATime: 2,
  },
  plans: {
    proves: 'what queries read, however long the history is and whatever the planner knows',
    takes: '2 min',
    folder: 'plans',
    postgres: true,
    timeoutSeconds: 600,
    processesAtATime: 1,
  },
  crash: {
    proves: 'what was acknowledged is kept, whatever is killed; starts, stops, outages',
    takes: '4 min',
    folder: 'crash',
    postgres: true,
    timeoutSeconds: 600,
    processesAtATime: 2,
  },
  agents: {
    proves: 'ten agents on one data folder lose nothing, whatever is started, stopped and killed under them',
    takes: '2 min',
    folder: 'agents',
    postgres: true,
    timeoutSeconds: 600,
    processesAtATime: 1,
  },
  abuse: {
    proves: 'attacks on a small replica, which others do not notice; other users of the machine; behind nginx',
    takes: '2 min',
    folder: 'abuse',
    postgres: true,
    debian: { nginx: 'nginx' },
    timeoutSeconds: 300,
    processesAtATime: 1,
  },
  browser: {
    proves: 'the dashboard: journeys, by keyboard too, and accessibility',
    takes: '6 min',
    folder: 'browser',
    postgres: true,
    chromium: true,
    timeoutSeconds: 300,
  },
  'first-view': {
    proves: 'how soon the dashboard of a large registry can be used, and how much script it takes',
    takes: '1 min',
    folder: 'first-view',
    postgres: true,
    chromium: true,
    timeoutSeconds: 300,
    processesAtATime: 1,
  },
  client: {
    proves: 'the clients that four generators make from the contract compile and do the main job',
    takes: '1 min',
    program: 'test/contract-client/run.js',
  },
  mcp: {
    proves:
      'official clients, the inspector, the conformance suite and libraries of agents are content, on Node 20 and 24',
    takes: '2 min',
    requires: 'the npm registry',
    program: 'dist/scripts/test/mcp.js',
  },
  package: {
    proves: 'the packed package, installed without development dependencies, does the main job on Node 20 and 24',
    takes: '2 min',
    requires: 'the npm registry',
    folder: 'package',
    timeoutSeconds: 600,
  },
  monitoring: {
    proves: 'rules, alerts and the Grafana dashboard in a real Prometheus',
    takes: '1 min',
    folder: 'monitoring',
    postgres: true,
    debian: { prometheus: 'prometheus', promtool: 'prometheus' },
    timeoutSeconds: 300,
  },
  deploy: {
    proves: 'poolers, proxies, restarts, backups, a full database',
    takes: '3 min',
    folder: 'deploy',
    postgres: true,
    debian: { pgbouncer: 'pgbouncer', initdb: 'postgresql-15', pg_dump: 'postgresql-client-15', haproxy: 'haproxy' },
    timeoutSeconds: 300,
  },
  recipes: {
    proves: 'the snippets of docs/recipes.md, as they stand there',
    takes: '2 min',
    requires: 'Linux',
    folder: 'recipes',
    debian: {
      direnv: 'direnv',
      'systemd-analyze': 'systemd',
      git: 'git',
      nginx: 'nginx',
      prometheus: 'prometheus',
    },
    timeoutSeconds: 300,
    processesAtATime: 1,
  },
  failover: {
    proves: 'nothing acknowledged is lost when the primary of a Patroni cluster fails',
    takes: '5 min',
    requires: 'Linux, as root',
    folder: 'failover',
    debian: { patroni: 'patroni', etcd: 'etcd-server', haproxy: 'haproxy', initdb: 'postgresql-15' },
    timeoutSeconds: 900,
  },
  image: {
    proves: 'the container image: read-only, not root, healthy, on either database',
    takes: '3 min',
    requires: 'Docker or podman',
    program: 'dist/scripts/test/image.js',
  },
  compose: {
    proves: 'deploy/compose.yaml: secrets made, replicas replaced under load',
    takes: '3 min',
    requires: 'Docker Compose',
    program: 'dist/scripts/test/compose.js',
  },
  soak: {
    proves: 'memory and latency do not grow under load and crashes; --for=1h runs for an hour',
    takes: '10 min',
    requires: 'Linux',
    program: 'dist/test/soak/soak.js',
  },
};

/** @returns which sources the tests of a suite have to run; null if the suite answers for none */
export function coveredBy(suite: Suite | undefined): ((file: string) => boolean) | null {
  const folders = Object.values(suites).flatMap(({ covers }) => covers ?? []);
  if (suite === quick) return (file) => !folders.some((folder) => isIn(file, folder));
  const folder = suite?.covers;
  return folder === undefined ? null : (file) => isIn(file, folder);
}

const isIn = (file: string, folder: string) => file.startsWith(join(folder, sep));

/** A line for each suite: how long it takes, what it proves, and what it needs beside Node and npm. */
export function describeSuites(): string {
  return Object.entries(suites)
    .map(([name, suite]) => {
      const needs = [
        suite.postgres && 'PostgreSQL',
        suite.chromium && 'Chromium',
        ...Object.keys(suite.debian ?? {}),
        suite.requires,
      ].filter(Boolean);
      const needed = needs.length > 0 ? `; needs ${needs.join(', ')}` : '';
      return `${name.padEnd(10)}  ${suite.takes.padEnd(6)}  ${suite.proves}${needed}\n`;
    })
    .join('');
}
