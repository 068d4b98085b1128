import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { isSelfConnected, probeTcp } from '../../../src/services/probes/probe.js';
import { findClosedPort, listen, openBlackHole } from '../../helpers/listeners.js';

const BOTH = ['127.0.0.1', '::1'];

t.test('a port that accepts a connection is open, even if it never sends anything', async (t) => {
  const { port } = await listen(t, '127.0.0.1');
  const result = await probeTcp(['127.0.0.1'], port, 1000);
  t.match(result, { outcome: 'open', error: null });
  t.type(result.responseTimeMs, 'number');
});

t.test('the probe sends nothing, and closes the connection', async (t) => {
  const server = await listen(t, '127.0.0.1');
  const ended = new Promise<number>((resolve) => {
    server.once('connection', (socket) => socket.once('close', () => resolve(socket.bytesRead)));
  });
  await probeTcp(['127.0.0.1'], server.port, 1000);
  t.equal(await ended, 0);
});

t.test('a closed port is refused, which is a result and no exception', async (t) => {
  const result = await probeTcp(['127.0.0.1'], await findClosedPort(), 1000);
  t.match(result, { outcome: 'refused', error: 'ECONNREFUSED' });
  t.type(result.responseTimeMs, 'number');
});

t.test('localhost is open if either of its addresses accepts', async (t) => {
  const ipv4 = await listen(t, '127.0.0.1');
  const ipv6 = await listen(t, '::1');
  t.equal((await probeTcp(BOTH, ipv4.port, 1000)).outcome, 'open');
  t.equal((await probeTcp(BOTH, ipv6.port, 1000)).outcome, 'open');
  t.equal((await probeTcp(['127.0.0.1'], ipv6.port, 1000)).outcome, 'refused');
});

t.test('a host that does not answer is a timeout, within the time limit', async (t) => {
  const port = await openBlackHole(t, '127.0.0.1');
  const started = performance.now();
  t.same(await probeTcp(['127.0.0.1'], port, 200), {
    outcome: 'timeout',
    responseTimeMs: null,
    error: 'no answer in 200 ms',
  });
  const took = performance.now() - started;
  t.ok(took >= 195 && took < 10_000, `it took ${took} ms`);
});

t.test('a port that has accepted while this process was busy is open', async (t) => {
  const { port } = await listen(t, '127.0.0.1');
  const probe = probeTcp(['127.0.0.1'], port, 50);
  await new Promise<void>((resolve) => process.nextTick(resolve)); // the connection is asked for by now
  const busyUntil = performance.now() + 200;
  while (performance.now() < busyUntil);
  t.equal((await probe).outcome, 'open');
});

t.test('an aborted probe closes its sockets at once, and an aborted signal starts none', async (t) => {
  const port = await openBlackHole(t, '127.0.0.1');
  const stopping = new AbortController();
  const begun = performance.now();
  const probe = probeTcp(BOTH, port, 60_000, stopping.signal);
  setTimeout(() => stopping.abort(new Error('stopped')), 50);
  await t.rejects(probe, { message: 'stopped' }, 'it settles when the sockets are closed');
  t.ok(performance.now() - begun < 10_000, 'far less than the timeout');
  await t.rejects(probeTcp(BOTH, port, 60_000, stopping.signal), { message: 'stopped' });
});

t.test('if one address does not answer and the other one refuses, the outcome is a timeout', async (t) => {
  const port = await openBlackHole(t, '127.0.0.1');
  t.equal((await probeTcp(BOTH, port, 200)).outcome, 'timeout');
});

t.test('an address without a route is unreachable', async (t) => {
  // The kernel itself refuses TCP to a broadcast address, so no packet is sent.
  t.match(await probeTcp(['255.255.255.255'], 3000, 1000), { outcome: 'unreachable', responseTimeMs: null });
  t.equal((await probeTcp([], 3000, 1000)).outcome, 'unreachable');
});

t.test('a connection of a socket to itself is not taken for one to a listener', async (t) => {
  const port = await findClosedPort();
  const own = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.1', localPort: port });
  await once(own, 'connect');
  t.equal(isSelfConnected(own), true);
  own.destroy();
  const server = await listen(t, '127.0.0.1');
  const other = connect({ host: '127.0.0.1', port: server.port });
  await once(other, 'connect');
  t.equal(isSelfConnected(other), false);
  other.destroy();
});
