// Answers that nobody reads. The service lives, its memory stays bounded, and callers beside notice nothing.
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { CallersBeside, makeProjectKey, startSmallService } from '../helpers/beside.js';
import { bearer } from '../helpers/keys.js';
import type { Service } from '../helpers/service.js';

t.setTimeout(120_000);

const ATTACK_MS = 5000;
/** A process with a heap of 256 MB, and everything that it has outside of the heap. */
const MAX_RSS_MB = 512;

/** Sends requests on connections and never reads. @returns how much memory the service had at most, in MB */
async function neverRead(t: Test, service: Service, connections: number, bytes: string, forMs: number) {
  const { hostname, port } = new URL(await service.url);
  const sockets: Socket[] = [];
  for (let i = 0; i < connections; i++) {
    const socket = connect({ port: Number(port), host: hostname, localAddress: `127.0.1.${1 + i}` });
    sockets.push(socket);
    socket.on('error', () => {}).pause();
    socket.write(bytes);
  }
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  let highest = 0;
  for (const end = performance.now() + forMs; performance.now() < end; await sleep(100)) {
    highest = Math.max(highest, rssOf(service));
  }
  return highest;
}

const rssOf = ({ child }: Service): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024);

const get = (path: string, headers: Record<string, string> = {}) =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;

t.test('without a key: the contract, pipelined on 60 connections', async (t) => {
  const service = await startSmallService(t);
  const beside = await CallersBeside.start(service);
  const before = rssOf(service);
  const highest = await neverRead(t, service, 60, get('/openapi.json').repeat(400), ATTACK_MS);
  const figures = await beside.stop(t);
  t.equal(service.child.exitCode, null);
  t.ok(highest < MAX_RSS_MB, `${highest} MB`);
  t.comment(`RSS ${before} MB, at most ${highest} MB; beside ${JSON.stringify(figures)}`);
});

t.test('with the key of a project: a page of 1 MB, pipelined on 30 connections', async (t) => {
  const service = await startSmallService(t);
  const key = await makeProjectKey(service, 'consilio');
  const metadata = { filler: 'x'.repeat(15_000) };
  for (let i = 0; i < 60; i++) {
    const path = `/v1/projects/consilio/services/big-${i}`;
    const { status } = await service.call('PUT', path, { metadata }, { headers: bearer(key) });
    t.equal(status, 201);
  }
  const beside = await CallersBeside.start(service);
  const before = rssOf(service);
  const page = get('/v1/allocations?project=consilio&limit=1000', bearer(key)).repeat(15);
  const highest = await neverRead(t, service, 30, page, ATTACK_MS);
  const figures = await beside.stop(t);
  t.equal(service.child.exitCode, null);
  t.ok(highest < MAX_RSS_MB, `${highest} MB`);
  t.comment(`RSS ${before} MB, at most ${highest} MB; beside ${JSON.stringify(figures)}`);
});

t.test('with the key of a project: event streams of 100 audits', async (t) => {
  const service = await startSmallService(t);
  const key = await makeProjectKey(service, 'consilio');
  const beside = await CallersBeside.start(service);
  const body = '{"project":"consilio","unallocated":true}';
  const head = { ...bearer(key), accept: 'text/event-stream', 'content-type': 'application/json' };
  const audit = get('/v1/audits', { ...head, 'content-length': String(body.length) }).replace('GET', 'POST') + body;
  const highest = await neverRead(t, service, 100, audit, 3000);
  const figures = await beside.stop(t);
  t.ok(highest < MAX_RSS_MB, `${highest} MB`);
  t.comment(`RSS at most ${highest} MB; beside ${JSON.stringify(figures)}`);
});
