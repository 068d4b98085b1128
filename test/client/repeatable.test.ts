import t from 'tap';
import { renderContract } from '../../scripts/contract.js';
import { honoursIdempotencyKey, isRepeatable } from '../../src/client/repeatable.js';

interface Operation {
  parameters?: { name: string; in: string }[];
}

t.test('an idempotency key is sent to the operations that honour one, and to no other', async (t) => {
  const { paths } = JSON.parse((await renderContract()).json) as { paths: Record<string, Record<string, Operation>> };
  const honoured: string[] = [];
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { parameters = [] }] of Object.entries(operations)) {
      const isHonoured = parameters.some(({ name }) => name.toLowerCase() === 'idempotency-key');
      const example = path.replace(/\{[^}]+\}/g, 'x');
      t.equal(honoursIdempotencyKey(method.toUpperCase(), example), isHonoured, `${method} ${path}`);
      if (isHonoured) honoured.push(example);
    }
  }
  t.ok(honoured.length >= 6);
  for (const path of honoured) t.ok(isRepeatable('POST', path));
});

t.test('what is repeated although it may have been done already', async (t) => {
  const id = '0b4e1d1e-6d3c-4a8f-9d55-0f7f6a3f2c11';
  t.ok(isRepeatable('GET', '/v1/allocations'));
  t.ok(isRepeatable('PUT', '/v1/projects/shop/services/web'));
  t.ok(isRepeatable('DELETE', `/v1/allocations/${id}`));
  t.ok(isRepeatable('POST', '/mcp'));
  t.ok(isRepeatable('POST', '/v1/audits'));
  t.notOk(isRepeatable('DELETE', '/v1/projects/shop/services/web'), 'somebody may have got a port for it meanwhile');
  t.notOk(isRepeatable('DELETE', '/v1/projects/shop/environments/feature'));
  t.notOk(isRepeatable('DELETE', '/v1/ranges/3100'));
  t.notOk(isRepeatable('PATCH', `/v1/allocations/${id}`), 'somebody may have changed it meanwhile');
});
