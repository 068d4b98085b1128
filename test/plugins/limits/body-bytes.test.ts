import t from 'tap';
import { BodyBytes } from '../../../src/plugins/limits/body-bytes.js';

const MIB = 1024 * 1024;

t.test('bodies are bounded for each caller and in all, and what is given back can be taken again', async (t) => {
  const bytes = new BodyBytes(8 * MIB);
  t.equal(bytes.take('a', 2 * MIB), null);
  t.match(bytes.take('a', 1), { code: 'overloaded', message: /^The bodies of one key or address .* 2 MiB together/ });
  for (const other of ['b', 'c', 'd']) t.equal(bytes.take(other, 2 * MIB), null, 'a refused byte is not counted');
  t.match(bytes.take('e', 1), { code: 'overloaded', message: /^The bodies of all callers .* 8 MiB together/ });
  bytes.giveBack('b', MIB);
  t.equal(bytes.take('e', MIB), null);
  t.match(bytes.take('b', 1), { message: /all callers/ });
  bytes.giveBack('a', 2 * MIB);
  t.equal(bytes.take('a', 2 * MIB), null);
});

t.test('every caller may have one body of the largest allowed size', async (t) => {
  const bytes = new BodyBytes(2 * MIB);
  t.equal(bytes.take('a', MIB), null);
  t.match(bytes.take('a', 1), { message: /of one key or address .* 1 MiB/ });
});
