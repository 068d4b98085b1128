import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { ProbeResult } from '../../../src/services/probes/probe.js';
import { Turns } from '../../../src/services/probes/turns.js';

const never = new AbortController().signal;
const OPEN: ProbeResult = { outcome: 'open', responseTimeMs: 1, error: null };
const NOT_JUDGED: ProbeResult = { outcome: 'not-judged', responseTimeMs: null, error: 'EMFILE' };

/** A probe in a process that has so many descriptors for probes. */
function makeProbe(descriptors: { free: number }) {
  return async () => {
    if (descriptors.free === 0) return NOT_JUDGED;
    descriptors.free -= 1;
    await sleep(2);
    descriptors.free += 1;
    return OPEN;
  };
}

const takeAll = (turns: Turns, probe: () => Promise<ProbeResult>, count: number) =>
  Promise.all(Array.from({ length: count }, () => turns.take(probe, never)));

t.test('fewer probes are made at a time when descriptors run out, and more again when they do not', async (t) => {
  const descriptors = { free: 100 };
  const turns = new Turns(256, 5000);
  const probe = makeProbe(descriptors);
  t.equal((await takeAll(turns, probe, 256)).filter(({ outcome }) => outcome === 'open').length, 256);
  t.ok(turns.atATime < 256, `${turns.atATime}`);
  descriptors.free = 1000;
  for (let i = 0; i < 10; i++) await takeAll(turns, probe, 256);
  t.equal(turns.atATime, 256);
});

t.test('the number is halved once for all probes that began before', async (t) => {
  const turns = new Turns(256, 0);
  const results = await takeAll(turns, async () => NOT_JUDGED, 256);
  t.ok(results.every(({ outcome }) => outcome === 'not-judged'));
  t.equal(turns.atATime, 128);
  for (let i = 0; i < 20; i++) await turns.take(async () => NOT_JUDGED, never);
  t.equal(turns.atATime, 1, 'and never below one');
});

t.test('a port is given up when nothing has succeeded for as long as a probe may take', async (t) => {
  const turns = new Turns(4, 200);
  let tries = 0;
  const probe = async () => {
    tries += 1;
    return NOT_JUDGED;
  };
  const begun = performance.now();
  await takeAll(turns, probe, 4);
  t.ok(performance.now() - begun >= 200);
  t.ok(tries > 4, `${tries} tries`);
  tries = 0;
  await takeAll(turns, probe, 1000);
  t.equal(tries, 1000, 'later ports are tried once each');
});

t.test('a port that fails alone is given up, although others succeed', async (t) => {
  const turns = new Turns(4, 100);
  let isEnding = false;
  const others = (async () => {
    while (!isEnding) {
      await turns.take(async () => OPEN, never);
      await sleep(5);
    }
  })();
  let tries = 0;
  const result = await turns.take(async () => {
    tries += 1;
    return NOT_JUDGED;
  }, never);
  isEnding = true;
  await others;
  t.same(result, NOT_JUDGED);
  t.ok(tries >= 5, `${tries} tries`);
});

t.test('an aborted signal ends the waiting for another try', async (t) => {
  const turns = new Turns(1, 60_000);
  const leaving = new AbortController();
  const taking = turns.take(async () => NOT_JUDGED, leaving.signal);
  setTimeout(() => leaving.abort(), 20);
  await t.rejects(taking, { name: 'AbortError' });
  t.same(await turns.take(async () => OPEN, never), OPEN, 'and the turn is free again');
});
