import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { openRegistry } from '../../src/mcp/registry.js';
import { createDatabase } from '../helpers/database.js';

t.test('a refused DATABASE_URL is for the user to mend, and the first call after that is executed', async (t) => {
  const file = join(t.testdir(), 'ca.pem');
  const url = new URL(await createDatabase(t));
  // With sslmode=disable, the file is read all the same and not used.
  url.search = String(new URLSearchParams({ sslmode: 'disable', sslrootcert: file }));
  const config = loadConfig({ DATABASE_URL: url.href, SEED_ON_START: 'true' });
  const registry = openRegistry(config, pino({ level: 'silent' }), String);
  t.teardown(() => registry.close());
  const getPort = () =>
    registry.callTool({
      name: 'get-port',
      input: { project: 'odin', service: 'api' },
      idempotencyKey: null,
      requestId: 'r',
      signal: new AbortController().signal,
    });
  const refused = {
    isError: true,
    content: [
      { text: /^database-unavailable: DATABASE_URL cannot be used: ENOENT.*ca\.pem'\nNext: ask the user to do/ },
    ],
  };
  t.match(await Promise.all([getPort(), getPort()]), [refused, refused]);
  t.match(await getPort(), refused);
  await writeFile(file, '');
  t.match(await getPort(), { structuredContent: { port: 3300 } });
});
