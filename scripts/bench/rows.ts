import { Client } from 'undici';
import { benchAudit, type Comparison } from './audit.js';
import { clients } from './clients.js';
import { firstStart } from './first-start.js';
import { growth } from './growth.js';
import { requestAll, runPairs, send } from './load.js';
import { alternate, type Measure, median, type Row } from './measure.js';
import { hasProgram, query, runPgbench } from './subjects.js';

const reads: Measure = async (subjects, { rounds, seconds }) => {
  const database = await subjects.createDatabase('bench_reads');
  const service = await subjects.startService(database);
  const bare = await subjects.startBareRoute(database);
  const names = Array.from({ length: 50 }, (_, i) => `s${i}`);
  const connection = new Client(service.url);
  for (const name of names) await send(connection, 'PUT', `/v1/projects/consilio/services/${name}`);
  await connection.close();
  const measured = await alternate(
    rounds,
    () =>
      requestAll(
        service.url,
        'PUT',
        names.map((name) => `/v1/projects/consilio/services/${name}`),
        seconds,
      ),
    () =>
      requestAll(
        bare.url,
        'GET',
        names.map((name) => `/consilio/${name}`),
        seconds,
      ),
  );
  await Promise.all([service.stop(), bare.stop()]);
  return [
    { work: 'get-or-allocate of an existing allocation, 64 clients, requests/s', target: { least: 2 }, ...measured },
  ];
};

const contention: Measure = async (subjects, { rounds, seconds }) => {
  const database = await subjects.createDatabase('bench_contention');
  const service = await subjects.startService(database);
  const unbatched = await subjects.startService(database, { batching: false });
  const pgbench = await hasProgram('pgbench');
  const pairs = (url: string, clients: number) =>
    runPairs(url, { projects: ['odin'], clients, seconds }).then((result) => result.pairsPerSecond);
  const rows: Row[] = [];
  rows.push({
    work: 'allocate + release in one range, 64 clients, pairs/s, of one transaction per request',
    target: { least: 12 },
    ...(await alternate(
      rounds,
      () => pairs(service.url, 64),
      () => pairs(unbatched.url, 64),
    )),
  });
  await unbatched.stop();
  const compare = (clients: number, subject: () => Promise<number>, partner: (pairsPerSecond: number) => number) =>
    pgbench
      ? alternate(rounds, subject, async () =>
          partner(await runPgbench(database, { project: 'odin', clients, seconds })),
        )
      : { ratios: null, note: 'pgbench is not installed: skipped' };
  rows.push({
    work: 'the same, of 64 pgbench clients calling allocate_port() and release_port()',
    target: { least: 4 },
    ...(await compare(
      64,
      () => pairs(service.url, 64),
      (rate) => rate,
    )),
  });
  rows.push({
    work: 'the same with one client: time of a pair in ms, of one pgbench client',
    target: { most: 3 },
    ...(await compare(
      1,
      async () => 1000 / (await pairs(service.url, 1)),
      (rate) => 1000 / rate,
    )),
  });
  await service.stop();
  return rows;
};

const churn: Measure = async (subjects, { churnSeconds }) => {
  const database = await subjects.createDatabase('bench_churn');
  const service = await subjects.startService(database);
  const { perSecond } = await runPairs(service.url, { projects: ['odin'], clients: 64, seconds: churnSeconds });
  const sum = (values: number[]) => values.reduce((total, value) => total + (value ?? 0), 0);
  const first = sum(perSecond.slice(0, 10)) / 10;
  const last = sum(perSecond.slice(churnSeconds - 10, churnSeconds)) / 10;
  const memory = await service.memory();
  await service.stop();
  return [
    {
      work: `64 clients for ${churnSeconds} s: pairs/s of the last 10 s, of the first 10 s`,
      target: { least: 0.9 },
      ratios: [last / first],
      note: `${last.toFixed(0)} against ${first.toFixed(0)}; ${memory.toFixed(0)} MiB resident at the end, started in ${service.startSeconds.toFixed(2)} s`,
    },
  ];
};

const isolation: Measure = async (subjects, { rounds, seconds }) => {
  const database = await subjects.createDatabase('bench_isolation');
  const projects = Array.from({ length: 64 }, (_, i) => `p${i}`);
  await query(
    database,
    `insert into port_ranges (start_port, end_port, project)
     select 20000 + 100 * i, 20099 + 100 * i, 'p' || i from generate_series(0, 63) i`,
  );
  const service = await subjects.startService(database);
  const others = projects.slice(0, 16);
  /** The p99 of 16 clients, each in a project of its own, while 48 other clients work in the projects given. */
  const measure = async (elsewhere: string[]) => {
    const [own] = await Promise.all([
      runPairs(service.url, { projects: others, clients: 16, seconds }),
      runPairs(service.url, { projects: elsewhere, clients: 48, seconds }),
    ]);
    return own.times.percentile(99);
  };
  const measured = await alternate(
    rounds,
    () => measure(['odin']),
    () => measure(projects.slice(16)),
  );
  await service.stop();
  return [
    {
      work: "other projects' p99 in ms while one range is saturated, of the same load spread over many projects",
      target: { most: 2 },
      ...measured,
    },
  ];
};

const scaleOut: Measure = async (subjects, { seconds }) => {
  const database = await subjects.createDatabase('bench_scale');
  await query(
    database,
    `insert into port_ranges (start_port, end_port, project)
     select 20000 + 100 * i, 20099 + 100 * i, 'p' || i from generate_series(0, 15) i`,
  );
  const projects = Array.from({ length: 16 }, (_, i) => `p${i}`);
  const services = [];
  const rates: number[] = [];
  for (const instances of [1, 2, 4]) {
    while (services.length < instances) services.push(await subjects.startService(database));
    const results = await Promise.all(
      services.map(({ url }) => runPairs(url, { projects, clients: 64 / instances, seconds })),
    );
    rates.push(results.reduce((sum, { pairsPerSecond }) => sum + pairsPerSecond, 0));
  }
  const { rows } = await query(database, 'select from port_allocations where released_at is null');
  if (rows.length > 0) throw new Error(`${rows.length} ports are still held, and all were released`);
  const [one = Number.NaN, two = Number.NaN, four = Number.NaN] = rates;
  const memory = await Promise.all(services.map((service) => service.memory()));
  await Promise.all(services.map((service) => service.stop()));
  return [
    {
      work: '64 clients over 16 projects: pairs/s of two instances, of one',
      target: {},
      ratios: [two / one],
      note: `${two.toFixed(0)} against ${one.toFixed(0)}; four instances: ${four.toFixed(0)}, of ${median(memory).toFixed(0)} MiB resident each`,
    },
  ];
};

const audit: Measure = async (subjects) => {
  const { tenth, all } = await benchAudit(await subjects.createDatabase('bench_audit'));
  const row = (work: string, { audits, scans }: Comparison): Row => ({
    work,
    target: { most: 1 },
    ratios: scans && audits.map((ms, round) => ms / (scans[round] ?? Number.NaN)),
    note: scans
      ? `${median(audits).toFixed(0)} ms against ${median(scans).toFixed(0)} ms`
      : `${median(audits).toFixed(0)} ms; nmap is not installed (Debian: apt-get install nmap): skipped`,
  });
  return [
    row('audit of every port of 65 project ranges, a tenth held and listening: time, of nmap -sT -Pn -n -T4', tenth),
    row('the same with every port held, so that as many results are stored', all),
  ];
};

export const measures: Record<string, Measure> = {
  reads,
  contention,
  churn,
  growth,
  isolation,
  scaleOut,
  audit,
  firstStart,
  clients,
};
