import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { AbandonedError, Batcher, QueueFullError } from '../../../src/registry/queues/batcher.js';

/** A batcher whose batches end only when the test says so. Records the batches that it executes. */
function makeBatcher(options: { maxBatch?: number; maxQueue?: number; concurrency?: number } = {}) {
  const batches: string[][] = [];
  const gates: (() => void)[] = [];
  const batcher = new Batcher<string, string>({
    async execute(lane, requests) {
      batches.push(requests);
      await new Promise<void>((resolve) => gates.push(resolve));
      if (requests.includes('bad')) throw new Error('a bad request');
      return requests.map((request) => `${lane}:${request}`);
    },
    maxBatch: 100,
    maxQueue: 100,
    ...options,
  });
  /** Lets the oldest batch in progress end, and the batches after it start. */
  const finish = async () => {
    gates.shift()?.();
    await settle();
  };
  return { batcher, batches, finish };
}

/** Waits for enough turns of the event loop that every batch that can start has started. No time is involved. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
}

t.test('requests that arrive while a batch is in progress are executed together in the next one', async (t) => {
  const { batcher, batches, finish } = makeBatcher();
  const first = batcher.submit('p', 'a');
  await settle();
  const rest = ['b', 'c', 'd'].map((request) => batcher.submit('p', request));
  await settle();
  t.same(batches, [['a']], 'nobody joins a batch that has started');
  await finish();
  await finish();
  t.same(batches, [['a'], ['b', 'c', 'd']]);
  t.equal(await first, 'p:a');
  t.same(await Promise.all(rest), ['p:b', 'p:c', 'p:d'], 'each gets its own result, in the order of arrival');
});

t.test('lanes do not wait for each other', async (t) => {
  const { batcher, batches } = makeBatcher();
  void batcher.submit('p', 'a');
  void batcher.submit('q', 'b');
  await settle();
  t.same(batches, [['a'], ['b']]);
});

t.test('the size of a batch is limited, and so is the number of batches in progress', async (t) => {
  const { batcher, batches, finish } = makeBatcher({ maxBatch: 2, concurrency: 2 });
  const all = ['a', 'b', 'c', 'd', 'e'].map((request) => batcher.submit('p', request));
  await settle();
  t.same(batches, [
    ['a', 'b'],
    ['c', 'd'],
  ]);
  for (let i = 0; i < 3; i++) await finish();
  t.same(await Promise.all(all), ['p:a', 'p:b', 'p:c', 'p:d', 'p:e']);
});

t.test('a full queue refuses at once and executes nothing', async (t) => {
  const { batcher, batches, finish } = makeBatcher({ maxQueue: 2 });
  const accepted = ['a', 'b'].map((request) => batcher.submit('p', request));
  await t.rejects(batcher.submit('p', 'c'), QueueFullError);
  await settle();
  await finish();
  await Promise.all(accepted);
  t.same(batches, [['a', 'b']]);
});

t.test('a request whose caller has gone before its batch starts is not executed', async (t) => {
  const { batcher, batches, finish } = makeBatcher();
  const first = batcher.submit('p', 'a');
  await settle();
  let gone = false;
  const abandoned = batcher.submit('p', 'b', () => gone);
  const kept = batcher.submit('p', 'c', () => false);
  gone = true;
  const refused = t.rejects(abandoned, AbandonedError);
  await finish();
  await refused;
  await finish();
  await Promise.all([first, kept]);
  t.same(batches, [['a'], ['c']]);
});

t.test('an error reaches every request of its batch and none of the next batch', async (t) => {
  const { batcher, finish } = makeBatcher();
  const failing = Promise.allSettled(['bad', 'b'].map((request) => batcher.submit('p', request)));
  await settle();
  const next = batcher.submit('p', 'c');
  await finish();
  await finish();
  t.same(
    (await failing).map((result) => result.status),
    ['rejected', 'rejected'],
  );
  t.equal(await next, 'p:c');
});
