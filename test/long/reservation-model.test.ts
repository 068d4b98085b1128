import fc from 'fast-check';
import { type Kysely, sql } from 'kysely';
import t from 'tap';
import type { Outcome, ProjectCommand } from '../../src/allocator/decide.js';
import { executeCommands } from '../../src/allocator/transaction.js';
import type { Tables } from '../../src/database/tables.js';
import { databases } from '../helpers/database.js';
import { holds } from '../helpers/properties.js';
import { FIRST, Model, PROJECT, ROOM } from '../helpers/reservation-model.js';

// A run has about ten transactions. The embedded database is slower, so it gets fewer runs.
t.setTimeout(120_000);
const RUNS = { PostgreSQL: 25, 'the embedded default': 3 } as Record<string, number>;

const service = fc.constantFrom('a', 'b', 'c');
const environment = fc.constantFrom('default', 'x');
const protocol = fc.constantFrom('tcp' as const, 'tcp' as const, 'udp' as const);
const port = fc.integer({ min: FIRST, max: FIRST + ROOM - 1 });
const anyPort = fc.oneof({ weight: 8, arbitrary: port }, { weight: 1, arbitrary: fc.constantFrom(FIRST + ROOM, 3200) });
const host = fc.constant('localhost');
const key = fc.record({ project: fc.constant(PROJECT), service, environment, host, protocol });
const details = fc.constant({});
const idempotency = fc.constant(null);
const kind = <K extends string>(name: K) => fc.constant(name);
/** Stands for one of the objects that exist when the batch begins. */
const reservationId = fc.nat().map(String);

const command: fc.Arbitrary<ProjectCommand> = fc.oneof(
  fc.record({ kind: kind('get-or-allocate'), key, details }),
  fc.record({ kind: kind('allocate'), key, details, port: fc.option(anyPort), idempotency }),
  fc.record({ kind: kind('release-service'), key }),
  fc.record({ kind: kind('release-environment'), environment, host, protocol }),
  fc.tuple(fc.uniqueArray(service, { minLength: 1 }), key).map(([services, place]) => ({
    kind: 'allocate-environment' as const,
    services: services.map((name) => ({ key: { ...place, service: name }, details: {} })),
  })),
  fc.record({
    kind: kind('reserve'),
    port: fc.option(anyPort),
    service: fc.option(service),
    host,
    protocol,
    ttlSeconds: fc.constant(3600),
    reservedBy: fc.constant(null),
    reason: fc.constant(null),
    idempotency,
  }),
  fc.record({
    kind: kind('claim-reservation'),
    reservationId,
    service: fc.option(service),
    environment,
    space: fc.constant({}),
    details,
    idempotency,
  }),
  fc.record({ kind: kind('cancel-reservation'), reservationId }),
  fc.record({ kind: kind('renew-reservation'), reservationId, ttlSeconds: fc.constant(3600) }),
  fc.record({
    kind: kind('adopt'),
    port,
    host,
    protocol,
    environment: fc.constant(null),
    service: fc.option(service),
    processName: fc.option(service),
  }),
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ batch: fc.array(command, { minLength: 1, maxLength: 10, size: 'max' }) }) },
  { weight: 1, arbitrary: fc.record({ expire: fc.nat() }) },
  { weight: 1, arbitrary: fc.constant({ pass: true }) },
);

for (const [name, open] of databases) {
  t.test(`on ${name}, a batch has the same results as its commands one after another`, async (t) => {
    const { db } = await open(t);
    await holds(
      t,
      fc.asyncProperty(
        fc.boolean(),
        fc.array(step, { minLength: 1, maxLength: 10, size: 'max' }),
        async (cooldown, steps) => {
          await reset(db, cooldown);
          const model = new Model(cooldown);
          for (const each of steps) {
            if ('batch' in each) await compareBatch(db, model, each.batch);
            else if ('expire' in each) await expire(db, model, each.expire);
            else await passCooldowns(db, model);
            assertSame(await describe(db), model.describe(), 'state');
          }
        },
      ),
      { numRuns: RUNS[name] ?? 3 },
    );
  });
}

async function compareBatch(db: Kysely<Tables>, model: Model, batch: ProjectCommand[]): Promise<void> {
  const known = model.reservations.map(({ id }) => id);
  const commands = batch.flatMap((each): ProjectCommand[] => {
    if (!('reservationId' in each)) return [each];
    return known.length === 0
      ? []
      : [{ ...each, reservationId: known[Number(each.reservationId) % known.length] ?? '' }];
  });
  const outcomes = await executeCommands(db, PROJECT, commands);
  for (const [place, each] of commands.entries()) {
    const { expected, created } = model.apply(each);
    const outcome = outcomes[place] as Outcome;
    assertSame(summarize(each, outcome), expected, JSON.stringify(each));
    const ids = JSON.stringify(outcome.ok ? outcome.value : '').matchAll(/"id":"([^"]+)","port":(\d+)/g);
    for (const [, id = '', held] of ids) {
      const made = created.find((one) => one.port === Number(held) && one.id === '');
      if (made) made.id = id;
    }
  }
}

// biome-ignore lint/suspicious/noExplicitAny: every kind of outcome is summarised here, field by field
function summarize({ kind }: ProjectCommand, outcome: any): string {
  if (!outcome.ok) return outcome.error.code;
  const { value } = outcome;
  const portsOf = (items: { port: number }[]) => items.map((item) => item.port).join(' ');
  switch (kind) {
    case 'get-or-allocate':
    case 'claim-reservation':
      return `${value.created ? 'new' : 'held'} ${value.allocation.port}`;
    case 'allocate':
      return `new ${value.allocation.port}`;
    case 'allocate-environment':
      return `${value.created ? 'new' : 'held'} ${portsOf(value.items)}`;
    case 'reserve':
      return `reserved ${value.reservation.port}`;
    case 'adopt':
      return [value.outcome, value.allocation?.service].filter(Boolean).join(' ');
    case 'cancel-reservation':
    case 'renew-reservation':
      return value.status;
    default:
      return `released ${portsOf(value)}`;
  }
}

async function describe(db: Kysely<Tables>): Promise<string[]> {
  const { rows } = await sql<{ line: string }>`
    select protocol || ' ' || port || ' ' || service || ' ' || environment as line
    from port_allocations where released_at is null and environment <> 'filler'
    union all
    select protocol || ' ' || port || ' for ' || coalesce(service, 'null') from port_reservations
    where status = 'active' and expires_at > clock_timestamp()
    union all
    select protocol || ' cooling ' || c.cooling_ports from unnest(array['tcp', 'udp']) protocol
    cross join lateral range_counts('localhost', protocol) c where c.start_port = ${FIRST}`.execute(db);
  return rows.map(({ line }) => line).sort();
}

async function reset(db: Kysely<Tables>, cooldown: boolean): Promise<void> {
  await sql`truncate port_allocations, port_reservations, port_health_checks`.execute(db);
  await sql`update port_ranges set reuse_cooldown_seconds = ${cooldown ? 600 : 0} where start_port = ${FIRST}`.execute(
    db,
  );
  await sql`
    insert into port_allocations (port, project, service, environment, protocol)
    select n, ${PROJECT}, 's' || n, 'filler', protocol
    from generate_series(${FIRST + ROOM}::integer, ${FIRST + 99}::integer) n, unnest(array['tcp', 'udp']) protocol`.execute(
    db,
  );
}

async function expire(db: Kysely<Tables>, model: Model, place: number): Promise<void> {
  const reservation = model.reservations[place % Math.max(model.reservations.length, 1)];
  if (reservation?.status !== 'active') return;
  model.expire(reservation);
  await sql`update port_reservations set expires_at = date_trunc('milliseconds', clock_timestamp())
            where id = ${reservation.id}`.execute(db);
}

async function passCooldowns(db: Kysely<Tables>, model: Model): Promise<void> {
  model.cooling.clear();
  await sql`update port_allocations set released_at = released_at - interval '1 hour'
            where released_at is not null`.execute(db);
}

function assertSame(actual: unknown, expected: unknown, about: string): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) {
    throw new Error(`${about}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
  }
}
