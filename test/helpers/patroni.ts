// Runs a PostgreSQL cluster under Patroni in strict synchronous mode, with etcd, and HAProxy in front of it. The
// programs are those on the PATH. Each member has a network namespace of its own, so that it can be cut off from the
// network. This needs Linux and root.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import { findFreePort } from '../../scripts/postgres.js';
import { startHaproxy } from './proxy.js';

const run = promisify(execFile);

const MEMBERS = [1, 2, 3];
const NETWORK = '10.231.0';
const HERE = `${NETWORK}.1`;
const addressOf = (member: number) => `${NETWORK}.${10 + member}`;
const NOBODY = 65534; // PostgreSQL refuses to run as root
const PASSWORD = 'secret';
/** The shortest lease of a leader that Patroni accepts. */
const TTL_SECONDS = 20;
const HEALTHY_TIMEOUT_MS = 120_000;

interface Member {
  name: string;
  /** As in Patroni's REST API, and so is the state. */
  role: string;
  state: string;
}

export class PatroniCluster {
  readonly #names = `pa${process.pid}`;
  readonly #children = new Map<number, ChildProcess>();
  readonly #log: string[] = [];

  private constructor(
    readonly folder: string,
    /** The URL of the current primary, through HAProxy. */
    readonly url: string,
  ) {}

  /** Starts a cluster and waits until it is healthy. It is stopped when the test ends. */
  static async start(t: Test): Promise<PatroniCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'port-allocator-patroni-'));
    await chmod(folder, 0o777);
    const port = await findFreePort();
    const cluster = new PatroniCluster(folder, `postgresql://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`);
    t.teardown(() => cluster.#stop());
    await cluster.#makeNetwork();
    await cluster.#startEtcd(t);
    for (const member of MEMBERS) await cluster.startMember(member);
    await cluster.untilHealthy();
    const proxy = await startHaproxy(await cluster.#proxyConfig(port), {}, async () => true);
    t.teardown(() => proxy.stop());
    return cluster;
  }

  async #makeNetwork(): Promise<void> {
    const bridge = this.#names;
    await run('ip', ['link', 'add', bridge, 'type', 'bridge']);
    await run('ip', ['address', 'add', `${HERE}/24`, 'dev', bridge]);
    await run('ip', ['link', 'set', bridge, 'up']);
    for (const member of MEMBERS) {
      const space = this.#space(member);
      await run('ip', ['netns', 'add', space]);
      await run('ip', ['link', 'add', space, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space]);
      await run('ip', ['link', 'set', space, 'master', bridge, 'up']);
      const inside = (...args: string[]) => run('ip', ['-n', space, ...args]);
      await inside('address', 'add', `${addressOf(member)}/24`, 'dev', 'eth0');
      await inside('link', 'set', 'eth0', 'up');
      await inside('link', 'set', 'lo', 'up');
    }
  }

  #space(member: number): string {
    return `${this.#names}-${member}`;
  }

  async #startEtcd(t: Test): Promise<void> {
    const client = `http://${HERE}:2379`;
    const peer = `http://${HERE}:2380`;
    const etcd = this.#spawn('etcd', [
      ...['--name=etcd', `--data-dir=${join(this.folder, 'etcd')}`, '--unsafe-no-fsync'],
      ...[`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`],
      ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=etcd=${peer}`],
    ]);
    t.teardown(async () => {
      etcd.kill('SIGKILL');
      await once(etcd, 'exit');
    });
  }

  /** Starts Patroni on a member. It creates the cluster, joins it or rejoins it. */
  async startMember(member: number): Promise<void> {
    const folder = join(this.folder, String(member));
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o777);
    const file = join(folder, 'patroni.json'); // Patroni reads YAML, which JSON is too
    await writeFile(file, JSON.stringify(await this.#configOf(member, folder)));
    const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
    const child = this.#spawn('ip', ['netns', 'exec', this.#space(member), ...asNobody, 'patroni', file]);
    this.#children.set(member, child);
  }

  async #configOf(member: number, folder: string) {
    const address = addressOf(member);
    const { stdout: initdb } = await run('which', ['initdb']);
    const { stdout: binFolder } = await run('readlink', ['-f', initdb.trim()]);
    return {
      scope: 'ports',
      name: `member-${member}`,
      restapi: { listen: `${address}:8008`, connect_address: `${address}:8008` },
      etcd3: { hosts: `${HERE}:2379` },
      bootstrap: {
        dcs: {
          ttl: TTL_SECONDS,
          loop_wait: 1,
          retry_timeout: 3,
          synchronous_mode: true,
          synchronous_mode_strict: true,
          postgresql: { use_pg_rewind: true, parameters: { max_connections: 100, wal_keep_size: '256MB' } },
        },
        initdb: [{ encoding: 'UTF8' }, { locale: 'C' }, 'data-checksums'],
      },
      postgresql: {
        listen: `${address}:5432`,
        connect_address: `${address}:5432`,
        data_dir: join(folder, 'data'),
        bin_dir: dirname(binFolder.trim()),
        pgpass: join(folder, 'pgpass'),
        authentication: {
          superuser: { username: 'postgres', password: PASSWORD },
          replication: { username: 'replicator', password: PASSWORD },
          rewind: { username: 'rewinder', password: PASSWORD },
        },
        parameters: { unix_socket_directories: folder },
        pg_hba: [
          'local all all trust',
          `host all all ${NETWORK}.0/24 md5`,
          `host replication replicator ${NETWORK}.0/24 md5`,
        ],
      },
    };
  }

  async #proxyConfig(port: number): Promise<string> {
    const servers = MEMBERS.map((member) => `  server member-${member} ${addressOf(member)}:5432 check port 8008`);
    const config = `
defaults
  mode tcp
  timeout connect 2s
  timeout client 1h
  timeout server 1h
listen primary
  bind 127.0.0.1:${port}
  option httpchk
  http-check send meth GET uri /primary
  http-check expect status 200
  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
${servers.join('\n')}
`;
    const file = join(this.folder, 'haproxy.cfg');
    await writeFile(file, config);
    return file;
  }

  /** The members of the cluster, as the first that answers lists them. Empty while none answers. */
  async members(): Promise<Member[]> {
    for (const member of MEMBERS) {
      const answer = await fetch(`http://${addressOf(member)}:8008/cluster`, { signal: AbortSignal.timeout(1000) })
        .then((response) => response.json() as Promise<{ members: Member[] }>)
        .catch(() => null);
      if (answer) return answer.members;
    }
    return [];
  }

  /** @returns the number of the primary */
  async primary(): Promise<number> {
    const leader = (await this.members()).find(({ role }) => role === 'leader');
    if (!leader) throw new Error('there is no primary');
    return Number(leader.name.replace('member-', ''));
  }

  /** Waits until one member is primary, one its synchronous standby, and the third an ordinary replica. */
  async untilHealthy(): Promise<void> {
    const deadline = Date.now() + HEALTHY_TIMEOUT_MS;
    for (;;) {
      const members = await this.members();
      const roles = members.filter(({ state }) => state === 'running' || state === 'streaming').map(({ role }) => role);
      if (roles.sort().join() === 'leader,replica,sync_standby') return;
      if (Date.now() > deadline) {
        throw new Error(`not healthy: ${JSON.stringify(members)}\n${this.#log.slice(-60).join('')}`);
      }
      await sleep(200);
    }
  }

  /** Kills every process of the member at once, as if its machine lost power. */
  async kill(member: number): Promise<void> {
    const exited = once(this.#children.get(member) as ChildProcess, 'exit');
    await this.#killAll(member);
    await exited;
  }

  async #killAll(member: number): Promise<void> {
    for (let left = true; left; ) {
      const { stdout } = await run('ip', ['netns', 'pids', this.#space(member)]);
      const pids = stdout.split('\n').filter(Boolean).map(Number);
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {} // it has ended since
      }
      left = pids.length > 0;
      if (left) await sleep(50);
    }
  }

  /** Stops Patroni and PostgreSQL of the member properly, as for maintenance. */
  async shutDown(member: number): Promise<void> {
    const child = this.#children.get(member) as ChildProcess;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }

  /** Cuts the member off from the network. Its processes go on running. */
  async cutOff(member: number): Promise<void> {
    await run('ip', ['link', 'set', this.#space(member), 'down']);
  }

  async reconnect(member: number): Promise<void> {
    await run('ip', ['link', 'set', this.#space(member), 'up']);
  }

  #spawn(command: string, args: string[]): ChildProcess {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        this.#log.push(String(data));
        if (this.#log.length > 1000) this.#log.splice(0, 500);
      });
    }
    child.on('error', (error) => this.#log.push(`${command}: ${error.message}`));
    return child;
  }

  async #stop(): Promise<void> {
    for (const member of MEMBERS) {
      await this.#killAll(member).catch(() => {});
      await run('ip', ['netns', 'delete', this.#space(member)]).catch(() => {});
      // The link would disappear with its namespace, but only a moment later.
      await run('ip', ['link', 'delete', this.#space(member)]).catch(() => {});
    }
    await run('ip', ['link', 'delete', this.#names]).catch(() => {});
    await rm(this.folder, { recursive: true, force: true });
  }
}
