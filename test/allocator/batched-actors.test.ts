// Callers whose commands share a transaction and change the same thing: the feed tells of each change, and who made it.
import t from 'tap';
import type { Actor } from '../../src/access/actor.js';
import type { AllocateEnvironment } from '../../src/allocator/commands/allocate-environment.js';
import type { ProjectCommand } from '../../src/allocator/decide.js';
import { executeCommands } from '../../src/allocator/transaction.js';
import { findEventsAfter, moveNewEvents } from '../../src/repositories/events/events.js';
import { makeApp } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { getOrAllocate, key, reserve } from '../helpers/project-commands.js';

const database = await openPostgres(t);
const { db } = database;
await makeApp(t, database);
const by = (client: string): { by: Actor } => ({ by: { kind: 'anonymous', keyId: null, name: null, client } });

let position = 0;
/** What has happened since it was last called. */
async function read(): Promise<string[]> {
  await moveNewEvents(db);
  const events = await findEventsAfter(db, position, 1000, 'urn:test');
  position = events.at(-1)?.position ?? position;
  return events.map(({ event: { type, data } }) => {
    const description = data.allocation?.description;
    return [type, data.actor.client ?? data.actor.kind, ...(description ? [description] : [])].join(' ');
  });
}

async function together(...commands: ProjectCommand[]): Promise<string[]> {
  await read();
  const outcomes = await executeCommands(db, 'consilio', commands);
  const refused = outcomes.find(({ ok }) => !ok);
  if (refused && !refused.ok) throw refused.error;
  return read();
}

const put = (client: string, description?: string) => ({
  ...getOrAllocate('api', { details: { ...(description && { description }) } }),
  ...by(client),
});

t.test('of a port', async (t) => {
  const both = () => together(put('alice', 'hers'), put('bob', 'his'));
  t.strictSame(await both(), ['allocation.created alice hers', 'allocation.updated bob his']);
  t.strictSame(await both(), ['allocation.updated alice hers', 'allocation.updated bob his'], 'back to what it was');
  t.strictSame(
    await together({ kind: 'release-service', key: key('api'), ...by('alice') }, put('bob', 'new'), {
      kind: 'release-environment',
      environment: 'default',
      ...by('carol'),
    }),
    [
      'allocation.released alice his',
      'allocation.created bob new',
      'allocation.released carol new',
      'environment.released carol',
    ],
  );
});

t.test('of a reservation', async (t) => {
  const [outcome] = await executeCommands(db, 'consilio', [{ ...reserve({ port: 3150 }), ...by('alice') }]);
  const reservationId = (outcome as { value: { reservation: { id: string } } }).value.reservation.id;
  t.strictSame(
    await together(
      { kind: 'renew-reservation', reservationId, ttlSeconds: 900, ...by('bob') },
      { kind: 'cancel-reservation', reservationId, ...by('carol') },
    ),
    ['reservation.renewed bob', 'reservation.cancelled carol'],
  );
});

t.test('a reservation that is found expired has expired by itself', async (t) => {
  await executeCommands(db, 'consilio', [{ ...reserve({ port: 3151 }), ...by('alice') }]);
  await db
    .updateTable('port_reservations')
    .set({ expires_at: new Date(Date.now() - 1000), created_at: new Date(Date.now() - 5000) })
    .where('port', '=', 3151)
    .execute();
  t.strictSame(await together({ ...reserve({ port: 3151 }), ...by('bob') }), [
    'reservation.expired service',
    'reservation.created bob',
  ]);
});

t.test('of the expiry of an environment', async (t) => {
  const expiry = (expiresAfterSeconds: number) => ({ expiresAfterSeconds, onExpiry: 'tell' as const });
  const stack = (client: string, given: Partial<AllocateEnvironment>): ProjectCommand => ({
    ...{ kind: 'allocate-environment', services: [{ key: key('api'), details: {} }], ...given },
    ...by(client),
  });
  t.strictSame(
    await together(stack('alice', { expiry: expiry(7200) }), { ...getOrAllocate('web'), ...by('bob') }),
    ['allocation.created alice', 'allocation.created bob', 'environment.changed alice'],
    'who made it expire, and not who came last',
  );
  t.strictSame(
    await together(stack('alice', { expiry: expiry(3600) }), stack('bob', {}), stack('carol', { expiry: null })),
    ['environment.changed alice', 'environment.changed carol'],
    'and who has taken that back',
  );
  t.strictSame(await together(stack('dave', { expiry: null })), [], 'once');
  t.strictSame(
    await together(
      { kind: 'release-environment', environment: 'default', ...by('alice') },
      stack('bob', { expiry: expiry(3600) }),
    ),
    [
      'allocation.released alice',
      'allocation.released alice',
      'environment.released alice',
      'allocation.created bob',
      'environment.changed bob',
    ],
  );
});
