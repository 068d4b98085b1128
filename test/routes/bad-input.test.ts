// Bad values, case by case; bad-fields.test.ts has unknown fields. test/long/fuzz.test.ts sends random requests.
import t from 'tap';
import { assertInvalid } from '../helpers/problems.js';
import { openRefusing } from '../helpers/refusing.js';

const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });

t.test('bad input is refused as a whole and changes nothing', async (t) => {
  const { db, request, path, id, refusing, raw } = await openRefusing(t);

  refusing('numbers and booleans of URLs in any but their one spelling', async (t) => {
    const spellings = ['0xc1c', '%203100', '3100%20', '3.1e3', '3100.0', '%2b3100', '03100', '3_100', '٣١٠٠', '', '-0'];
    for (const text of spellings) {
      for (const [method, url] of [
        ['GET', `/v1/ports/${text}`],
        ['GET', `/v1/ranges/${text}`],
        ['PATCH', `/v1/ranges/${text}`],
        ['DELETE', `/v1/ranges/${text}`],
      ] as const) {
        if (text === '') continue; // would be the path of another operation
        assertInvalid(
          t,
          await request(method, encodeURI(decodeURI(url))),
          `/path/${url.includes('ports') ? 'port' : 'startPort'}`,
          /integer/,
        );
      }
      const query = encodeURIComponent(decodeURIComponent(text));
      assertInvalid(t, await request('GET', `/v1/allocations?port=${query}`), '/query/port', /integer/);
      assertInvalid(t, await request('GET', `/v1/ranges?limit=${query}`), '/query/limit', /integer/);
    }
    for (const text of ['1', '0', 'True', 'TRUE', 'yes', 'on', '', '%20true']) {
      const answer = await request('POST', `/v1/imports?dryRun=${text}`, { items: [{ port: 3100 }] });
      assertInvalid(t, answer, '/query/dryRun', /boolean/);
    }
    assertInvalid(t, await request('GET', '/v1/ports/-1'), '/path/port', 'must be 1 or more');
    t.equal((await request('GET', '/v1/ports/3100')).status, 200);
    t.equal((await request('GET', '/v1/allocations?port=3100&limit=1')).status, 200);
    const dry = await request('POST', '/v1/imports?dryRun=true', { items: [{ port: 3100 }] });
    t.match(dry, { status: 200, body: { dryRun: true } });
  });

  refusing('cursors of times that there are not', async (t) => {
    for (const time of [
      '2026-02-30T00:00:00.000Z',
      '0000-01-01T00:00:00.000Z',
      '2026-01-01T24:00:00.000Z',
      '2026-01-01Z',
    ]) {
      const cursor = Buffer.from(JSON.stringify([time, id])).toString('base64url');
      const answer = await request('GET', `/v1/allocations/${id}/health-checks?cursor=${cursor}`);
      assertInvalid(t, answer, '/query/cursor', /not one that/);
    }
  });

  refusing('cursors that only resemble one that was handed out', async (t) => {
    const cursor = (await request('GET', '/v1/ranges?limit=2')).body.nextCursor;
    t.equal((await request('GET', `/v1/ranges?cursor=${cursor}`)).status, 200);
    const spaced = Buffer.from('[ 3100 ]').toString('base64url');
    for (const other of [`${cursor}%20!!`, `${cursor}=`, `${cursor}A`, ` ${cursor}`, `!${cursor}`, spaced]) {
      assertInvalid(t, await request('GET', `/v1/ranges?cursor=${other}`), '/query/cursor', /not one that/);
    }
  });

  refusing('a body where none is taken', async (t) => {
    const json = { 'content-type': 'application/json' };
    for (const [method, url] of [
      ['GET', '/v1/ranges'],
      ['GET', path],
      ['DELETE', path],
      ['DELETE', `/v1/allocations/${id}`],
      ['DELETE', '/v1/ranges/3500'],
    ] as const) {
      for (const body of ['{"environment":"staging"}', '{}', '[]', 'null', '0', '[{}]', '{', ' ']) {
        assertInvalid(t, await request(method, url, body, json), '', 'This call takes no body.');
      }
    }
    t.equal((await request('GET', '/v1/ranges', '', json)).status, 200);
    t.equal((await request('DELETE', `${path}?environment=none`, '', json)).status, 200);
    t.equal((await request('GET', '/v1/ranges', undefined, { 'content-type': 'text/xml' })).status, 200);
  });

  refusing('values of another type, which are never coerced', async (t) => {
    for (const [body, pointer] of [
      [{ service: 1 }, '/service'],
      [{ service: null }, '/service'],
      [{ service: ['a'] }, '/service'],
      [{ service: 'a', port: '3100' }, '/port'],
      [{ service: 'a', port: 3100.5 }, '/port'],
      [{ service: 'a', port: true }, '/port'],
      [{ service: 'a', port: null }, '/port'],
      [{ service: 'a', port: 0 }, '/port'],
      [{ service: 'a', port: 65536 }, '/port'],
      [{ service: 'a', port: 1e300 }, '/port'],
      [{ service: 'a', environment: null }, '/environment'],
      [{ service: 'a', environment: '' }, '/environment'],
      [{ service: 'a', protocol: 'TCP' }, '/protocol'],
      [{ service: 'a', protocol: null }, '/protocol'],
      [{ service: 'a', host: 1 }, '/host'],
      [{ service: 'a', host: null }, '/host'],
      [{ service: 'a', metadata: [] }, '/metadata'],
      [{ service: 'a', metadata: '{}' }, '/metadata'],
      [{ service: 'a', metadata: 1 }, '/metadata'],
      [{ service: 'a', description: 5 }, '/description'],
      [{ service: 'a', description: false }, '/description'],
      [{ service: 'a', cloudflareHostname: {} }, '/cloudflareHostname'],
    ] as const) {
      assertInvalid(t, await request('POST', '/v1/projects/consilio/allocations', body), pointer);
    }
  });

  refusing('names, hostnames and texts that are none', async (t) => {
    const names = ['', 'A', '-a', 'a-', '.a', 'a_', 'a b', 'a/b', 'ä', 'a\n', 'a'.repeat(64), '..', '_a'];
    for (const service of names) {
      assertInvalid(t, await request('POST', '/v1/projects/consilio/allocations', { service }), '/service');
    }
    for (const cloudflareHostname of [
      '',
      'nodots',
      'a..b',
      '-a.b',
      'a.b-',
      'a.*.b',
      '*.',
      'a b.c',
      'a.b.',
      'http://a.b',
      `${'a'.repeat(64)}.b`,
      `${'a.'.repeat(127)}b`,
    ]) {
      assertInvalid(t, await request('PUT', path, { cloudflareHostname }), '/cloudflareHostname');
    }
    for (const [field, length] of [
      ['description', 1001],
      ['serviceType', 101],
    ] as const) {
      assertInvalid(t, await request('PUT', path, { [field]: 'x'.repeat(length) }), `/${field}`);
    }
    assertInvalid(t, await request('PUT', path, { description: '' }), '/description');
    assertInvalid(t, await request('PUT', path, { metadata: { x: 'x'.repeat(16_384) } }), '/metadata', /too large/);
    assertInvalid(t, await request('PUT', path, { metadata: { x: 'ä'.repeat(8192) } }), '/metadata', /too large/);
    // PostgreSQL stores each of these with more than 300 digits.
    const tiny = { x: Array.from({ length: 60 }, () => 5e-324) };
    assertInvalid(t, await request('PUT', path, { metadata: tiny }), '/metadata', /too large/);
  });

  refusing('NUL and other control characters, as values and as keys', async (t) => {
    for (const code of ['\\u0000', '\\u0001', '\\u0008', '\\u000b', '\\u001f', '\\u007f']) {
      assertInvalid(t, await raw(`{"description":"a${code}b"}`), '/description', 'holds a control character');
      assertInvalid(t, await raw(`{"metadata":{"a":["b","${code}"]}}`), '/metadata/a/1', 'holds a control character');
      const { body } = await raw(`{"metadata":{"a${code}":1}}`);
      t.match(body, { code: 'validation-failed', errors: [{ detail: 'holds a control character' }] });
    }
    for (const code of ['\\n', '\\r', '\\t', '\\u0085'])
      assertInvalid(t, await raw(`{"description":"a${code}b"}`), '/description');
  });

  refusing('lone surrogates, as values and as keys', async (t) => {
    for (const code of ['\\ud800', '\\udfff', '\\udc00\\ud800', 'x\\ud83dx']) {
      assertInvalid(t, await raw(`{"description":"${code}"}`), '/description', /lone surrogate/);
      assertInvalid(t, await raw(`{"metadata":{"a":{"b":"${code}"}}}`), '/metadata/a/b', /lone surrogate/);
      t.match((await raw(`{"metadata":{"${code}":1}}`)).body, { code: 'validation-failed' });
    }
  });

  refusing('keys that would reach the prototype', async (t) => {
    for (const body of [
      '{"__proto__":{"service":"a"}}',
      '{"metadata":{"__proto__":{"a":1}}}',
      '{"metadata":{"constructor":{"prototype":{"a":1}}}}',
      '{"constructor":{"prototype":{}}}',
      '{"\\u005f_proto__":{}}',
    ]) {
      const { status, body: problem } = await raw(body);
      t.strictSame([status, problem.code], [400, 'validation-failed'], body);
    }
  });

  refusing('deep nesting, and numbers that are none', async (t) => {
    const nested = async (levels: number, pointer: string) =>
      assertInvalid(t, await request('PUT', path, { metadata: deep(levels) }), pointer, /nested more than 10/);
    await nested(10, `/metadata${'/a'.repeat(10)}`);
    await nested(11, ''); // seen before the body is parsed, when its names are not known
    const deepest = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    assertInvalid(t, await raw(`{"metadata":{"a":${deepest}}}`), '', /nested more than 10/);
    for (const [method, url] of [
      ['DELETE', path],
      ['DELETE', `/v1/allocations/${id}`],
      ['GET', '/v1/ranges'],
    ] as const) {
      const answer = await request(method, url, deepest, { 'content-type': 'application/json' });
      assertInvalid(t, answer, '', 'This call takes no body.');
    }
    for (const number of ['1e400', '-1e400', '1e999999999']) {
      assertInvalid(t, await raw(`{"metadata":{"a":${number}}}`), '/metadata/a', /too large a number/);
    }
    for (const number of ['12345678901234567890', '-9007199254740993', '9007199254740992']) {
      assertInvalid(t, await raw(`{"metadata":{"a":[${number}]}}`), '/metadata/a/0', /integer beyond 2\^53/);
    }
  });

  refusing('what is at the limit is taken, and kept as it was sent', async (t) => {
    const details = {
      description: `${'ä'.repeat(500)}${'😀'.repeat(250)}`,
      serviceType: 't'.repeat(100),
      cloudflareHostname: `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`,
      metadata: {
        '': 0,
        'line\nfeed\ttab': '\r\n',
        big: 2 ** 53 - 1,
        small: 5e-324,
        deep: deep(8),
        '😀': '\u2028',
      },
    };
    const name = 'a'.repeat(63);
    await request('POST', '/v1/ranges', { project: name });
    const answer = await request('PUT', `/v1/projects/${name}/services/${name}?environment=${name}`, details);
    t.equal(answer.status, 201);
    t.match(answer.body, details);
    t.strictSame((await request('GET', `/v1/allocations/${answer.body.id}`)).body, answer.body);
    await request('DELETE', `/v1/allocations/${answer.body.id}`);
    await db.deleteFrom('port_allocations').where('id', '=', answer.body.id).execute();
    await request('DELETE', '/v1/ranges/3600');
    await db.deleteFrom('new_events').where('project', '=', name).execute();
  });
});
