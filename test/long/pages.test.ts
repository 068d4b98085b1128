import { type Kysely, sql } from 'kysely';
import t from 'tap';
import { Access } from '../../src/access/access.js';
import { ANONYMOUS } from '../../src/access/caller.js';
import type { Tables } from '../../src/database/tables.js';
import { findHeldInEnvironment, listAllocations } from '../../src/repositories/allocations.js';
import { type Page, type PageRequest, toPage } from '../../src/repositories/pages.js';
import { databases } from '../helpers/database.js';

const ROWS = 60;
const KIB = 1024;

/** Rows of very different sizes on a few ports: most are small, and some have up to 15 KiB of metadata. */
async function fill(db: Kysely<Tables>): Promise<void> {
  await sql`
    insert into port_allocations (port, project, service, host, description, metadata)
    select 3100 + i % 40, 'consilio', 'service-' || i, 'h' || i, case when i % 3 = 0 then repeat('é', 1000) end,
           case when i % 7 = 0 then jsonb_build_object('x', repeat('y', i * 160)) end
    from generate_series(1, ${ROWS}::integer) i`.execute(db);
}

async function walk<T>(list: (request: PageRequest) => Promise<Page<T>>, request: PageRequest): Promise<T[][]> {
  const pages: T[][] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = await list({ ...request, ...(cursor !== null && { cursor }) });
    pages.push(page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return pages;
}

for (const [name, open] of databases) {
  t.test(`pages bounded by items and by bytes, on ${name}`, async (t) => {
    const { db } = await open(t);
    await fill(db);
    const access = new Access(ANONYMOUS, 'read');
    const list = (request: PageRequest) => listAllocations(db, access, request);
    const [all = []] = await walk(list, { limit: 1000, maxBytes: 100_000_000 });
    t.equal(all.length, ROWS);
    for (const limit of [7, ROWS, 1000]) {
      for (const maxBytes of [1, 20 * KIB, 200 * KIB]) {
        const pages = await walk(list, { limit, maxBytes });
        t.same(pages.flat(), all, `every row once, in order: limit ${limit}, ${maxBytes} bytes`);
        const tooLarge = pages.filter((page) => {
          const before = Buffer.byteLength(JSON.stringify(page.slice(0, -1)));
          return page.length < 1 || page.length > limit || (before > maxBytes * 1.2 && page.length > 1);
        });
        t.same(tooLarge, [], `limit ${limit}, ${maxBytes} bytes`);
      }
    }
  });

  t.test(`an environment is read in pages, on ${name}`, async (t) => {
    const { db } = await open(t);
    await sql`
      insert into port_ranges (start_port, end_port, project, kind) values (40000, 40999, 'heavy', 'shared')`.execute(
      db,
    );
    await sql`
      insert into port_allocations (port, project, service, metadata)
      select port, 'heavy', 'web', jsonb_build_object('x', repeat('y', 15000))
      from generate_series(40000, 40039) port`.execute(db);
    const ports: number[] = [];
    const environment = { project: 'heavy', environment: 'default', host: 'localhost', protocol: 'tcp' as const };
    let pages = 0;
    for (let hasNext = true; hasNext; pages++) {
      const after = ports.at(-1) ?? 0;
      const page = await findHeldInEnvironment(db, new Access(ANONYMOUS, 'read'), environment, after);
      ports.push(...page.allocations.map(({ port }) => port));
      hasNext = page.hasNext;
    }
    t.same(
      ports,
      Array.from({ length: 40 }, (_, i) => 40000 + i),
    );
    t.equal(pages, 3);
  });
}

t.test('a page that is read as a whole ends at its bytes too', async (t) => {
  const rows = [1, 2, 3, 4].map((n) => ({ n, text: 'x'.repeat(1000) }));
  const page = (limit: number, maxBytes: number) =>
    toPage(
      rows,
      { limit, maxBytes },
      (row) => row,
      ({ n }) => [n],
    );
  const last = { items: rows, nextCursor: null };
  t.same(page(4, 1_000_000), last);
  t.same(page(4, 3100), last, 'the item that crosses the bound is on the page');
  t.equal(page(4, 1100).items.length, 2);
  t.not(page(4, 1100).nextCursor, null);
  t.equal(page(4, 1).items.length, 1, 'there is always one');
  t.equal(page(2, 1_000_000).items.length, 2);
  t.not(page(2, 1_000_000).nextCursor, null);
});
