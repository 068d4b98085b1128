// In which order the decisions are written: who makes them is told first.
import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type Transaction,
} from 'kysely';
import t from 'tap';
import { toStatements } from '../../src/allocator/write.js';
import type { Tables } from '../../src/database/tables.js';
import { allocate, claim, decide, release, reserve } from '../helpers/project-commands.js';
import { held, NOW, reserved } from '../helpers/project-facts.js';

/** It compiles statements and sends none. */
const trx = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
}) as Transaction<Tables>;

const statementsOf = ({ state }: ReturnType<typeof decide>) =>
  toStatements(trx, state).map(({ sql }) => /(insert into|update|set_config) ?\w*/.exec(sql)?.[0]);

t.test('releases are written before allocations, so that a port can change hands in one transaction', async (t) => {
  const allocations = [3000, 3001, 3002, 3003].map((port) => held(port));
  const decided = decide({ allocations }, release('allocation of 3002'), allocate('next'));
  t.same(decided.ports, [3002, 3002]);
  t.same(statementsOf(decided), ['set_config', 'update port_allocations', 'insert into port_allocations']);
});

t.test('a claimed reservation is written after its allocation, which it refers to', async (t) => {
  const decided = decide({ reservations: [reserved(3001)] }, claim('reservation of 3001', { service: 'api' }));
  t.same(statementsOf(decided), ['set_config', 'insert into port_allocations', 'update port_reservations']);
});

t.test('an expired reservation is ended before another one of its port is written', async (t) => {
  const decided = decide({ reservations: [reserved(3000, { expires_at: NOW })] }, reserve({ port: 3000 }));
  t.same(statementsOf(decided), ['set_config', 'update port_reservations', 'insert into port_reservations']);
});

t.test('where nothing was decided nothing is written', async (t) => {
  t.same(statementsOf(decide({}, release('nobody'))), []);
});
