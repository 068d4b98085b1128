import Fastify from 'fastify';
import t from 'tap';
import { sendItems } from '../../src/routes/answers/streams.js';

async function* pagesOf(pages: string[][]): AsyncGenerator<string[], void> {
  yield* pages;
}

t.test(
  'items in pages are one list, also where pages are empty because something was released meanwhile',
  async (t) => {
    for (const pages of [
      [],
      [[]],
      [['a']],
      [['a'], []],
      [[], ['a']],
      [[], []],
      [['a', 'b'], ['c']],
      [['a'], [], ['b'], [], ['c', 'd'], []],
      [[], [], ['a'], []],
    ]) {
      const app = Fastify();
      app.get('/', (_request, reply) => sendItems(reply, pagesOf(pages), { after: 1 }));
      const { statusCode, headers, body } = await app.inject('/');
      t.equal(statusCode, 200);
      t.match(headers['content-type'], /^application\/json/);
      t.same(JSON.parse(body), { items: pages.flat(), after: 1 }, JSON.stringify(pages));
    }
  },
);
