// The change feed, as the page takes it apart.
import t from 'tap';
import { importOfDashboard } from '../helpers/dashboard-module.js';

type Piece = { events: object[]; last: string | null; problem: object | null };
const { makeStreamReader } = await importOfDashboard<{ makeStreamReader(): (text: string) => Piece }>('feed/stream.ts');
const FIRST = 'id: 5\nevent: allocation.created\ndata: {"id":"5"}\n\n';
const SECOND = 'id: 6\nevent: allocation.released\ndata: {"id":"6"}\n\n';
const PROBLEM = 'event: problem\ndata: {"status":503,"code":"database-unavailable"}\n\n';

t.test('an event that comes together with the reason why the stream ends is not lost', async (t) => {
  const read = makeStreamReader();
  t.same(read(FIRST), { events: [{ id: '5' }], last: '5', problem: null });
  const problem = { status: 503, code: 'database-unavailable' };
  t.same(read(SECOND + PROBLEM), { events: [{ id: '6' }], last: '6', problem });
});

t.test('an event is taken when it has come as a whole', async (t) => {
  const read = makeStreamReader();
  t.same(read(FIRST + SECOND.slice(0, 30)), { events: [{ id: '5' }], last: '5', problem: null });
  t.same(read(SECOND.slice(30)), { events: [{ id: '6' }], last: '6', problem: null });
  t.same(read(':\n\n'), { events: [], last: null, problem: null });
});

t.test('the place is taken where no event comes, but not that of an event which has not come as a whole', async (t) => {
  const read = makeStreamReader();
  t.same(read('retry: 2000\nid: 4\n\n'), { events: [], last: '4', problem: null });
  t.same(read(`${FIRST}: still here\nid: 7\n`), { events: [{ id: '5' }], last: '5', problem: null });
  t.same(read('\nid: 8\n'), { events: [], last: '7', problem: null });
});
