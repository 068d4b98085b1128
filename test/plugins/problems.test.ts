import t, { type Test } from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { assertInvalid, assertProblem } from '../helpers/problems.js';
import { readRegistry } from '../helpers/rows.js';

t.test('every refusal is a problem document', async (t) => {
  const { db } = await openPostgres(t);
  const app = await makeApp(t, { db });
  const request = requester(app);
  await request('PUT', '/v1/projects/consilio/services/api', { metadata: { a: 1 } });
  const before = await readRegistry(db);
  const refusing = (name: string, test: (t: Test) => Promise<void>) =>
    t.test(name, async (t) => {
      await test(t);
      t.equal(await readRegistry(db), before, 'nothing changed');
    });
  const json = { 'content-type': 'application/json' };

  refusing('a path that is none', async (t) => {
    for (const path of [
      '/',
      '/v1',
      '/v1/',
      '/v1/allocation',
      '/v2/ranges',
      '/v1/ranges/3100/x',
      '/V1/ranges',
      '//v1/ranges',
    ]) {
      if (path === '/') continue; // the dashboard
      const problem = assertProblem(t, await request('GET', `${path}?a=b`), 'not-found');
      t.equal(problem.instance, path);
    }
  });

  refusing('a method that the path does not have, with those that it has', async (t) => {
    for (const [method, path, allow] of [
      ['POST', '/v1/projects/consilio/services/api', 'GET, HEAD, PUT, DELETE'],
      ['PATCH', '/v1/projects/consilio/services/api', 'GET, HEAD, PUT, DELETE'],
      ['PUT', '/v1/ranges', 'GET, HEAD, POST'],
      ['DELETE', '/v1/ranges?project=x', 'GET, HEAD, POST'],
      ['POST', '/v1/ranges/3100', 'GET, HEAD, PATCH, DELETE'],
      ['PUT', '/v1/allocations/0b4e1d1e-6d3c-4a8f-9d55-0f7f6a3f2c11', 'GET, HEAD, PATCH, DELETE'],
      ['GET', '/v1/projects/consilio/allocations', 'POST'],
      ['POST', '/v1/projects/consilio/summary', 'GET, HEAD'],
      ['DELETE', '/v1/ports/3100', 'GET, HEAD'],
      ['POST', '/livez', 'GET, HEAD'],
      ['DELETE', '/openapi.json', 'GET, HEAD'],
      ['OPTIONS', '/v1/ranges', 'GET, HEAD, POST'],
      ['TRACE' as 'GET', '/v1/ranges', 'GET, HEAD, POST'],
    ] as const) {
      const answer = await request(method, path);
      const problem = assertProblem(t, answer, 'method-not-allowed');
      t.equal(answer.headers.allow, allow, path);
      t.match(problem.detail, `${method} is not possible here; this path has ${allow}.`);
    }
  });

  refusing('a HEAD is answered as its GET is, without the body', async (t) => {
    const answer = await request('HEAD', '/v1/projects/consilio/services/api');
    t.equal(answer.status, 200);
    t.equal(answer.text, '');
    t.equal((await request('HEAD', '/v1/projects/consilio/services/none')).status, 404);
  });

  refusing('a body that is no JSON', async (t) => {
    for (const body of [
      '{',
      '{"a":}',
      'null}',
      "{'service':'a'}",
      '{"service":"a",}',
      '\u0000',
      ' ',
      'NaN',
      '[1,',
      '\ufeff{',
    ]) {
      const answer = await request('POST', '/v1/projects/consilio/allocations', body, json);
      const { detail, errors } = assertProblem(t, answer, 'validation-failed');
      t.match(detail, /^The body is not JSON: .*line 1, column \d/, body);
      t.same(errors, [{ pointer: '', detail }]);
    }
  });

  refusing('a body that is no object', async (t) => {
    for (const body of ['null', '1', '"text"', '[]', 'true', '[{"service":"a"}]']) {
      for (const [method, path] of [
        ['POST', '/v1/projects/consilio/allocations'],
        ['PUT', '/v1/projects/consilio/services/api'],
        ['PATCH', '/v1/ranges/3100'],
        ['POST', '/v1/ranges'],
      ] as const) {
        assertInvalid(t, await request(method, path, body, json), '', /must be an object/);
      }
    }
  });

  refusing('a body that is not UTF-8', async (t) => {
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf]]) {
      const body = Buffer.concat([Buffer.from('{"description":"'), Buffer.from(bytes), Buffer.from('"}')]);
      const answer = await request('PUT', '/v1/projects/consilio/services/api', body, json);
      t.match(assertProblem(t, answer, 'validation-failed').detail, /UTF-8/);
    }
  });

  refusing('a body of another media type', async (t) => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/xml',
      'json',
      'application/jsonx',
      'multipart/form-data; boundary=x',
    ]) {
      const answer = await request('PUT', '/v1/projects/consilio/services/api', 'description=x', {
        'content-type': type,
      });
      t.match(assertProblem(t, answer, 'unsupported-media-type').detail, /application\/json/);
    }
    t.equal(
      (
        await request('PUT', '/v1/projects/consilio/services/api', '{}', {
          'content-type': 'application/json; charset=utf-8',
        })
      ).status,
      200,
    );
    t.equal(
      (await request('PUT', '/v1/projects/consilio/services/api', '{}', { 'content-type': 'Application/JSON' })).status,
      200,
    );
  });

  t.test('an empty body counts as no body, whatever its media type', async (t) => {
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'json', 'application/json']) {
      for (const length of [{ 'content-length': '0' }, {}]) {
        const headers = { 'content-type': type, ...length };
        t.equal((await request('PUT', '/v1/projects/consilio/services/api', undefined, headers)).status, 200, type);
      }
    }
  });

  refusing('a body over 1 MiB', async (t) => {
    const body = (size: number) => `{"description":"${'x'.repeat(size - 18)}"}`;
    const put = (size: number) => request('PUT', '/v1/projects/consilio/services/api', body(size), json);
    assertProblem(t, await put(1024 * 1024 + 1), 'payload-too-large');
    assertInvalid(t, await put(1024 * 1024), '/description');
  });

  refusing('an Accept that excludes all that there is', async (t) => {
    for (const path of ['/v1/ranges', '/v1/projects/consilio/services/api', '/livez', '/openapi.json']) {
      assertProblem(t, await request('GET', path, undefined, { accept: 'text/html' }), 'not-acceptable');
      t.equal((await request('GET', path, undefined, { accept: 'text/html, */*;q=0.1' })).status, 200);
      t.equal((await request('GET', path, undefined, { accept: 'application/*' })).status, 200);
    }
    assertProblem(t, await request('GET', '/v1/ranges', undefined, { accept: 'text/plain' }), 'not-acceptable');
    assertProblem(t, await request('GET', '/nowhere', undefined, { accept: 'text/html' }), 'not-found');
  });

  refusing('a URL with a percent sign that encodes nothing', async (t) => {
    for (const path of [
      '/v1/ranges/%',
      '/v1/projects/%zz/summary',
      '/v1/projects/%ff%fe/summary',
      '/v1/projects/%c3%28/summary',
      '/%E0%A4%A/x',
      '/v1/ports/%u1234',
    ]) {
      const problem = assertProblem(t, await request('GET', path), 'validation-failed');
      t.equal(problem.instance, path);
    }
  });

  refusing('a part of the path that is too long', async (t) => {
    for (const length of [64, 1024, 1025, 5000]) {
      const answer = await request('GET', `/v1/projects/${'a'.repeat(length)}/summary`);
      const { detail } = assertProblem(t, answer, 'validation-failed');
      if (length > 1024) t.equal(detail, 'A part of the path is too long.');
    }
  });

  refusing('it carries the id of the request, which a caller may choose', async (t) => {
    for (const [given, kept] of [
      ['abc-123', true],
      ['A.b_c:9', true],
      ['x'.repeat(128), true],
      ['x'.repeat(129), false],
      ['two words', false],
      ['<script>', false],
      ['', false],
    ] as const) {
      for (const path of ['/v1/ranges', '/nowhere', '/v1/ranges/%', '/v1/allocations?x=y']) {
        const { headers, body } = await request('GET', path, undefined, { 'x-request-id': given });
        if (kept) t.equal(headers['x-request-id'], given);
        else t.match(headers['x-request-id'], /^[0-9a-f-]{36}$/);
        if (body.code) t.equal(body.requestId, headers['x-request-id']);
      }
    }
    const ids = [await request('GET', '/livez'), await request('GET', '/livez')].map((a) => a.headers['x-request-id']);
    t.not(ids[0], ids[1]);
  });

  refusing('an error of ours tells nothing of itself', async (t) => {
    const broken = await makeApp(t, { db: {} as typeof db });
    const problem = assertProblem(t, await requester(broken)('GET', '/v1/ranges'), 'internal-error');
    t.equal(problem.detail, 'Something went wrong here; the log has it under this requestId.');
  });
});
