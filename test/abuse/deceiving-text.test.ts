// Names that move, hide or colour what stands beside them: in a terminal, in the log, in the findings of an audit.
import { spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import t from 'tap';
import { makeVisible } from '../../src/input/visible.js';
import { startSmallService } from '../helpers/beside.js';
import { ADMIN, bearer } from '../helpers/keys.js';

const UNSEEN = 'we\u202eb\u200b';

t.test('the log shows what a name of a key and a path have in them that is not seen', async (t) => {
  const service = await startSmallService(t, { LOG_LEVEL: 'trace' });
  const wanted = { name: UNSEEN, role: 'project', projects: ['odin'] };
  const { key } = (await service.call('POST', '/v1/api-keys', wanted, { headers: ADMIN })).body;
  await service.call('PUT', '/v1/projects/odin/services/web', { description: UNSEEN }, { headers: bearer(key) });
  const socket = connect(Number(new URL(await service.url).port), '127.0.0.1');
  socket.end(Buffer.from('GET /v1/\x9b[31m HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 'latin1'));
  const answer = await readText(socket);
  t.match(answer, /^HTTP\/1.1 4/);
  await service.kill('SIGTERM');
  const lines = service.output().split('\n').filter(Boolean);
  t.same(
    lines.filter((line) => makeVisible(line) !== line),
    [],
    'no line has a character that is not seen',
  );
  const changed = lines.map((line) => JSON.parse(line)).find(({ operation }) => operation === 'getOrAllocatePort');
  t.equal(changed.key, UNSEEN, 'and who parses a line gets the name as it is');
});

t.test('an audit names a process by what its name really is', { skip: process.platform !== 'linux' }, async (t) => {
  const program = join(t.testdir(), 'node\u202e\u001b[31m\n\u200bok');
  copyFileSync(process.execPath, program);
  const service = await startSmallService(t);
  const call = (method: string, path: string, body?: object) => service.call(method, path, body, { headers: ADMIN });
  const { port } = (await call('PUT', '/v1/projects/odin/services/web', {})).body;
  const child = spawn(
    program,
    ['-e', `require('net').createServer().listen(${port + 1}, '127.0.0.1', () => console.log('on'))`],
    {
      env: {},
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  t.teardown(() => child.kill());
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const { body } = await call('POST', '/v1/audits', { project: 'odin', unallocated: true });
  const squatter = body.conflicts.find(({ kind }: { kind: string }) => kind === 'squatter');
  t.match(squatter, { port: port + 1, actual: `node\\u{202e}\\u{1b}[31m\\u{a}\\u{200b}ok, pid ${child.pid}` });
  t.equal(makeVisible(JSON.stringify(body)), JSON.stringify(body));
});
