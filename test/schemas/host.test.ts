import { domainToUnicode } from 'node:url';
import fc from 'fast-check';
import { sql } from 'kysely';
import t from 'tap';
import { canonicalHost } from '../../src/schemas/host.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { assertInvalid } from '../helpers/problems.js';
import { holds } from '../helpers/properties.js';

/** What clients send, and what is stored. Null means that it is refused. */
const forms: [given: string, stored: string | null][] = [
  ['localhost', 'localhost'],
  ['LOCALHOST.', 'localhost'],
  ['127.0.0.1', 'localhost'],
  ['127.1.2.3', 'localhost'],
  ['0.0.0.0', 'localhost'],
  ['*', 'localhost'],
  ['::1', 'localhost'],
  ['::', 'localhost'],
  ['[::1]', 'localhost'],
  ['[::]', 'localhost'],
  ['0:0:0:0:0:0:0:1', 'localhost'],
  ['::ffff:127.0.0.1', 'localhost'],
  ['::ffff:7f00:1', 'localhost'],
  ['::FFFF:0.0.0.0', 'localhost'],
  ['10.0.0.1', '10.0.0.1'],
  ['10.0.0.1.', '10.0.0.1'],
  ['255.255.255.255', '255.255.255.255'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['2001:DB8::0001', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['0:0:1:2:3:0:0:4', '::1:2:3:0:0:4'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['fe80::1', 'fe80::1'],
  ['db1', 'db1'],
  ['DB1.Example.COM.', 'db1.example.com'],
  ['my_host', 'my_host'],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['1a.example', '1a.example'],
  ['a'.repeat(63), 'a'.repeat(63)],
  ['', null],
  ['.', null],
  ['..', null],
  ['a..b', null],
  ['-a', null],
  ['a-', null],
  ['a b', null],
  ['a/b', null],
  ['a:80', null],
  ['http://a', null],
  ['user@a', null],
  ['bücher.example', null],
  ['\u212A', null],
  ['a'.repeat(64), null],
  [`${'a.'.repeat(127)}a`, null],
  ['1', null],
  ['127.1', null],
  ['0x7f.0.0.1', null],
  ['0x7f000001', null],
  ['2130706433', null],
  ['010.0.0.1', null],
  ['1.2.3.4.5', null],
  ['256.1.1.1', null],
  ['a.1', null],
  ['::1.2.3.4', null],
  ['::2', null],
  ['::127.0.0.1', null],
  ['fe80::1%eth0', null],
  ['[localhost', null],
  ['[db1]', null],
  ['[10.0.0.1]', null],
  ['1::2::3', null],
  [':::', null],
  ['12345::', null],
  ['a\u0000b', null],
  ['**', null],
];

t.test('hosts have one form', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  const inDatabase = async (hosts: string[]) => {
    const { rows } = await sql<{ host: string | null }>`
      select canonical_host(h) as host from unnest(${hosts}::text[]) with ordinality as x (h, n) order by n`.execute(
      db,
    );
    return rows.map((row) => row.host);
  };

  t.test('canonicalHost() returns it, or null for a text that is no host', async (t) => {
    for (const [given, stored] of forms) t.equal(canonicalHost(given), stored, JSON.stringify(given));
  });

  t.test('canonical_host() returns the same', async (t) => {
    const given = forms.filter(([host]) => !host.includes('\u0000'));
    const answers = await inDatabase(given.map(([host]) => host));
    for (const [i, [host, stored]] of given.entries()) t.equal(answers[i], stored, JSON.stringify(host));
  });

  t.test('a host in this form is not changed', async (t) => {
    for (const [, stored] of forms) if (stored !== null) t.equal(canonicalHost(stored), stored);
  });

  t.test('both functions agree on random input, and return what the tables accept', async (t) => {
    const word = fc.integer({ min: 0, max: 0xffff }).map((n) => n.toString(16));
    const sparse = fc.oneof({ weight: 2, arbitrary: fc.constantFrom('0', '0', '0000', 'ffff') }, word);
    const octet = fc.integer({ min: 0, max: 260 });
    const label = fc.string({ unit: fc.constantFrom(...'aZ09_-xé'), maxLength: 6 });
    const host = fc
      .oneof(
        fc.array(sparse, { minLength: 6, maxLength: 9 }).map((words) => words.join(':')),
        fc.array(sparse, { maxLength: 7 }).map((words) => words.join(':').replace(/(^|:)0+(:0+)*(:|$)/, '::')),
        fc
          .tuple(
            fc.constantFrom('', '::', '::ffff:', '64:ff9b::', '0:0:0:0:0:ffff:', '::ffff:0:'),
            octet,
            octet,
            octet,
            octet,
          )
          .map(([prefix, ...octets]) => prefix + octets.join('.')),
        fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
        fc.domain().map(domainToUnicode),
        fc.ipV4(),
        fc.ipV4Extended(),
        fc.ipV6(),
        fc.string({ unit: fc.constantFrom(...'0123456789abcdefx:.%[]/* ') }),
        fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\u0000')),
      )
      .chain((text) => fc.constantFrom(text, `${text}.`, `[${text}]`, text.toUpperCase()));
    await holds(
      t,
      fc.asyncProperty(fc.array(host, { minLength: 50, maxLength: 50 }), async (hosts) => {
        const answers = await inDatabase(hosts);
        const wrong = hosts.flatMap((given, i) =>
          canonicalHost(given) === answers[i] ? [] : [{ given, service: canonicalHost(given), database: answers[i] }],
        );
        if (wrong.length > 0) throw new Error(JSON.stringify(wrong));
        const stored = answers.filter((answer) => answer !== null);
        await sql`select h::registry_host from unnest(${stored}::text[]) h`.execute(db);
      }),
      { numRuns: 100 },
    );
  });

  t.test('all spellings of a host mean the same port space, wherever they are used', async (t) => {
    const { body } = await request('PUT', '/v1/projects/consilio/services/api?host=2001:DB8:0::1');
    t.equal(body.host, '2001:db8::1');
    for (const host of ['2001:db8::1', '%5B2001:db8::1%5D', '2001:0db8:0:0:0:0:0:1']) {
      t.equal((await request('PUT', `/v1/projects/consilio/services/api?host=${host}`)).body.id, body.id);
      t.equal((await request('GET', `/v1/projects/consilio/services/api?host=${host}`)).body.id, body.id);
      t.equal((await request('GET', `/v1/allocations?host=${host}`)).body.items.length, 1);
      t.equal((await request('GET', `/v1/ports/3100?host=${host}`)).body.allocation.id, body.id);
      t.equal((await request('GET', `/v1/ranges/3100?host=${host}`)).body.allocatedPorts, 1);
      const taken = await request('POST', '/v1/projects/consilio/allocations', {
        service: 'x',
        port: 3100,
        host: decodeURIComponent(host),
      });
      t.equal(taken.body.code, 'port-taken');
    }
    const local = (await request('PUT', '/v1/projects/odin/services/api')).body;
    for (const host of ['127.0.0.1', '0.0.0.0', '::1', '*', 'LocalHost.']) {
      const answer = await request('PUT', `/v1/projects/odin/services/api?host=${host}`);
      t.equal(answer.body.id, local.id, host);
    }
  });

  t.test('a text that is no host is refused', async (t) => {
    for (const [given, stored] of forms) {
      if (stored !== null) continue;
      const query = `host=${encodeURIComponent(given)}`;
      assertInvalid(t, await request('GET', `/v1/allocations?${query}`), '/query/host');
      assertInvalid(t, await request('PUT', `/v1/projects/odin/services/x?${query}`), '/query/host');
      const answer = await request('POST', '/v1/projects/odin/allocations', { service: 'x', host: given });
      assertInvalid(t, answer, '/host');
    }
  });
});
