import { Client } from 'undici';
import { send, Times } from './load.js';
import { type Measure, median } from './measure.js';
import { query } from './subjects.js';

/** Compares the p50 of an allocation by one client in two places, in turn. Each allocation is released again. */
async function compareAllocations(
  places: [url: string, project: string][],
  rounds: number,
  seconds: number,
): Promise<{ ratios: number[]; note: string }> {
  const results: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    const times = places.map(() => new Times());
    const connections = places.map(([url]) => new Client(url));
    const until = performance.now() + seconds * 1000;
    for (let i = 0; performance.now() < until; i++) {
      const place = i % places.length;
      const connection = connections[place] as Client;
      const begun = performance.now();
      const { status, body } = await send(
        connection,
        'POST',
        `/v1/projects/${places[place]?.[1]}/allocations`,
        '{"service":"bench"}',
      );
      times[place]?.add(performance.now() - begun);
      if (status !== 201) throw new Error(`allocate answered ${status}: ${JSON.stringify(body)}`);
      const released = await send(connection, 'DELETE', `/v1/allocations/${body.id}`);
      if (released.status !== 200) throw new Error(`release answered ${released.status}`);
    }
    await Promise.all(connections.map((connection) => connection.close()));
    results.push(times.map((time) => time.percentile(50)));
  }
  const at = (place: number) => median(results.map((result) => result[place] ?? Number.NaN)).toFixed(2);
  return {
    ratios: results.map(([subject = Number.NaN, base = Number.NaN]) => subject / base),
    note: `p50 ${at(0)} ms against ${at(1)} ms`,
  };
}

export const growth: Measure = async (subjects, { rounds, seconds }) => {
  const plain = await subjects.createDatabase('bench_plain');
  const service = await subjects.startService(plain);
  await query(
    plain,
    `insert into port_ranges (start_port, end_port, project, kind) values (20000, 20999, 'full', 'shared'), (21000, 21999, 'empty', 'shared');
     insert into port_allocations (port, project, service) select p, 'full', 'filler' from generate_series(20000, 20989) p;
     analyze`,
  );
  const full = await compareAllocations(
    [
      [service.url, 'full'],
      [service.url, 'empty'],
    ],
    rounds,
    seconds,
  );

  const old = await subjects.createDatabase('bench_history');
  await query(
    old,
    `insert into port_allocations (port, project, service, status, released_at)
     select 3300 + i % 100, 'odin', 'old', 'released', clock_timestamp() - make_interval(secs => i)
     from generate_series(1, 1000000) i;
     analyze`,
  );
  const oldService = await subjects.startService(old);
  const history = await compareAllocations(
    [
      [oldService.url, 'odin'],
      [service.url, 'odin'],
    ],
    rounds,
    seconds,
  );
  await oldService.stop();

  const wide = await subjects.createDatabase('bench_ranges');
  await query(
    wide,
    `insert into port_ranges (start_port, end_port, project)
     select p, p + 99, 'project-' || p from generate_series(4000, 64900, 100) p
     where p not between 9000 and 9999 order by p limit 593`,
  );
  const wideService = await subjects.startService(wide);
  const ranges = await compareAllocations(
    [
      [wideService.url, 'odin'],
      [service.url, 'odin'],
    ],
    rounds,
    seconds,
  );
  await Promise.all([wideService.stop(), service.stop()]);
  return [
    { work: 'allocation in a 1000-port range at 99 %: p50, of an empty one', target: { most: 1.3 }, ...full },
    { work: 'allocation with 1,000,000 released rows: p50, of none', target: { most: 1.2 }, ...history },
    { work: 'allocation with 600 ranges: p50, of seven', target: { most: 1.2 }, ...ranges },
  ];
};
