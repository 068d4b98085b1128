// What the page asks of the service, and what it makes of the answers.
import t from 'tap';
import { importOfDashboard, replaceGlobals } from '../helpers/dashboard-module.js';

type Fetch = (request: Request) => Promise<Response>;
type Get = (path: string, options?: object) => Promise<unknown>;
interface Api {
  api: { GET: Get };
  UNLIMITED: object;
  answerOf(call: unknown): Promise<unknown>;
  describeFailure(error: unknown): string;
  setApiKey(key: string | null): void;
}

t.test('requests', async (t) => {
  let answer: Fetch;
  const asked: string[] = [];
  const reported: unknown[] = [];
  const later: { run(): Promise<void>; afterMs: number }[] = [];
  replaceGlobals(t, {
    document: { baseURI: 'http://registry.example/' },
    fetch: (request: Request | string) => {
      asked.push(typeof request === 'string' ? request : request.url);
      return answer(request as Request);
    },
    reportError: (error: unknown) => reported.push(error),
  });
  t.beforeEach(() => {
    for (const list of [asked, reported, later]) list.length = 0;
  });
  const { api, UNLIMITED, answerOf, describeFailure, setApiKey } = await importOfDashboard<Api>('registry/api.ts');
  const { runAudit } = await importOfDashboard<{ runAudit(scope: object): Promise<void> }>('registry/run-audit.ts');
  const { readSoon } = await importOfDashboard<{ readSoon(reading: string, afterMs?: number): void }>(
    'registry/readings.ts',
  );

  t.test('what a key lets see does not come any more once that is forgotten', async (t) => {
    let respond = (_: Response) => {};
    answer = () =>
      new Promise((resolve) => {
        respond = resolve;
      });
    setApiKey('secret');
    const call = answerOf(api.GET('/v1/caller'));
    await new Promise(setImmediate);
    t.equal(asked.length, 1);
    setApiKey(null);
    respond(Response.json({ role: 'admin' }));
    await t.rejects(call, { name: 'NoAnswer' });
  });

  t.test('a connection that breaks is no mistake of the page, however long the call may take', async (t) => {
    answer = () => Promise.reject(new TypeError('Failed to fetch'));
    for (const options of [{}, UNLIMITED]) {
      const error = await answerOf(api.GET('/v1/cloudflare/plan', options)).catch((error: unknown) => error);
      t.match(describeFailure(error), /^The registry does not answer/);
    }
    t.same(reported, []);
  });

  t.test('a mistake of the page is reported once, however often it is shown', async (t) => {
    const error = new TypeError('x is not iterable');
    for (let i = 0; i < 3; i++) t.equal(describeFailure(error), 'This page has failed. Load it again.');
    t.same(reported, [error]);
  });

  t.test('a second audit is not run beside the first', async (t) => {
    answer = () => new Promise(() => {});
    void runAudit({});
    await runAudit({ project: 'odin' });
    t.equal(asked.length, 1);
  });

  t.test('the first of many changes is read at once, and the others together, in a tenth of the time', async (t) => {
    let now = 10_000;
    replaceGlobals(t, {
      setTimeout: (run: () => Promise<void>, afterMs: number) => later.push({ run, afterMs }),
      performance: { now: () => now },
    });
    for (const [afterMs, tookMs] of [
      [100, 30],
      [1000 - 30, 200],
      [10 * 200 - 200, 30],
    ] as const) {
      answer = async () => {
        now += tookMs;
        return Response.json({ items: [], nextCursor: null });
      };
      for (let i = 0; i < 3; i++) readSoon('excluded');
      t.same(
        later.map((timer) => timer.afterMs),
        [afterMs],
      );
      now += afterMs;
      await later.pop()?.run();
    }
    t.equal(asked.length, 3);
  });

  t.test('a list that the service is too busy for is read again later', async (t) => {
    replaceGlobals(t, { setTimeout: (run: () => Promise<void>, afterMs: number) => later.push({ run, afterMs }) });
    for (const [status, times] of [
      [429, 1],
      [503, 1],
      [403, 0],
    ] as const) {
      answer = async () => Response.json({ status, code: 'too-many-requests', detail: 'No' }, { status });
      later.length = 0;
      readSoon('excluded', 0);
      await later.pop()?.run();
      t.equal(later.filter(({ afterMs }) => afterMs === 10_000).length, times, `${status}`);
    }
  });
});
