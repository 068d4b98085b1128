import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { assertProblem } from '../helpers/problems.js';

const LIMIT = 20;

t.test('the number of requests a minute is limited for each key, and for each address without one', async (t) => {
  const app = await makeApp(t, await openPostgres(t), {
    ...WITH_KEYS,
    RATE_LIMIT_PER_MINUTE: String(LIMIT),
    TRUST_PROXY: '127.0.0.1',
  });
  const request = requester(app);
  const [one, other] = [await makeKey(request, 'reader'), await makeKey(request, 'reader')];
  const ask = (headers: Record<string, string>, path = '/v1/ranges?limit=1') =>
    request('GET', path, undefined, headers);
  const statuses = async (times: number, headers: Record<string, string>, path?: string) => {
    const answers = await Promise.all(Array.from({ length: times }, () => ask(headers, path)));
    return answers.map(({ status }) => status).filter((status) => status !== 429).length;
  };

  t.test('requests beyond the limit are refused, with the time after which to try again', async (t) => {
    t.equal(await statuses(2 * LIMIT, bearer(one.key)), LIMIT);
    const refusal = await ask(bearer(one.key));
    assertProblem(t, refusal, 'too-many-requests');
    const seconds = Number(refusal.headers['retry-after']);
    t.ok(seconds >= 1 && seconds <= 60, `${seconds}`);
    t.equal((await request('POST', '/mcp', {}, bearer(one.key))).status, 429, 'at /mcp too');
  });

  t.test('each key and address has its own limit', async (t) => {
    t.equal((await ask(bearer(other.key))).status, 200);
    t.equal((await ask(ADMIN)).status, 200);
  });

  t.test('requests with invalid keys are counted by address, which the proxy passes on', async (t) => {
    const from = (address: string, key = 'x'.repeat(40)) => ({ ...bearer(key), 'x-forwarded-for': address });
    t.equal(await statuses(2 * LIMIT, from('192.0.2.1')), LIMIT);
    assertProblem(t, await ask(from('192.0.2.1', 'y'.repeat(40))), 'too-many-requests');
    assertProblem(t, await ask({ 'x-forwarded-for': '192.0.2.1' }, '/openapi.json'), 'too-many-requests');
    assertProblem(t, await ask(from('192.0.2.2')), 'unauthorized');
    t.equal(await statuses(2 * LIMIT, from('2001:db8::1')), LIMIT);
    assertProblem(t, await ask(from('2001:db8::2')), 'too-many-requests');
    t.equal((await ask({ ...bearer(other.key), 'x-forwarded-for': '192.0.2.1' })).status, 200, 'a key is not');
  });

  t.test('only requests to /livez are never counted', async (t) => {
    t.equal(await statuses(2 * LIMIT, {}, '/livez'), 2 * LIMIT);
    t.equal(await statuses(2 * LIMIT, { 'x-forwarded-for': '192.0.2.3' }, '/readyz'), LIMIT);
    t.equal(await statuses(2 * LIMIT, bearer(one.key), '/metrics'), 0);
  });
});

t.test('the limit’s default is none on loopback without keys, and 60000 otherwise', async (t) => {
  const limit = (variables: Record<string, string>) => loadConfig(variables).rateLimitPerMinute;
  t.equal(limit({}), null);
  t.equal(limit(WITH_KEYS), 60_000);
  t.equal(limit({ HOST: '0.0.0.0', ALLOW_UNAUTHENTICATED: 'true' }), 60_000);
  t.equal(limit({ ...WITH_KEYS, RATE_LIMIT_PER_MINUTE: '0' }), null);
  t.equal(limit({ RATE_LIMIT_PER_MINUTE: '5' }), 5);
  t.throws(() => limit({ RATE_LIMIT_PER_MINUTE: '-1' }), { message: /RATE_LIMIT_PER_MINUTE/ });
});

t.test('finished requests make room for others, however they ended', async (t) => {
  const request = requester(await makeApp(t, await openPostgres(t)));
  // More than may be in progress at a time.
  for (let round = 0; round < 9; round++) {
    const answers = await Promise.all(Array.from({ length: 1000 }, () => request('GET', '/v1/ports/x')));
    t.ok(answers.every(({ status }) => status === 400));
  }
});
