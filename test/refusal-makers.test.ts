// Where refusals are made.
import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import t from 'tap';
import { packageRoot } from '../src/package-root.js';

t.test('refusals are made where the rule at the head of src/errors.ts says', async (t) => {
  const makers = [
    'errors.ts',
    'refusals.ts',
    'repositories/events/refusals.ts',
    'allocator/port-refusals.ts',
    'access/refusals.ts',
    'database/errors.ts',
  ];
  const isMaker = (path: string) => makers.includes(path) || /^(plugins|mcp)\//.test(path);
  const root = join(packageRoot, 'src');
  const files = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.ts'));
  t.ok(files.length > 50);
  const elsewhere: string[] = [];
  for (const file of files) {
    const path = file.split(sep).join('/');
    // A route may refuse a field of its own request, as a plugin does.
    const making = path.startsWith('routes/') ? /\bnew AppError\(/ : /\b(new AppError|invalid|invalidField)\(/;
    if (!isMaker(path) && making.test(await readFile(join(root, file), 'utf8'))) elsewhere.push(path);
  }
  t.strictSame(elsewhere, [], 'these have to throw what a function of src/refusals.ts makes');
});
