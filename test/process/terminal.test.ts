import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { describeStart, makeFormat } from '../../src/process/terminal.js';

t.test('a line for people has its time, level, message and fields, and no name changes the terminal', async (t) => {
  process.env.NO_COLOR = '1';
  const format = await makeFormat();
  const line = (fields: object) =>
    format(`${JSON.stringify({ level: 30, time: 0, pid: 1, hostname: 'h', ...fields })}\n`);
  t.match(line({ ranges: 7, msg: 'Seeded' }), /^\[\d\d:\d\d:\d\d\] INFO: Seeded \{"ranges":7\}\n$/);
  const shown = line({ name: '\u001b[31m', msg: 'a\u001b[2Jb\rc\bd\\u001b\te\nf' });
  t.match(shown, /INFO \(\\u001b\[31m\): a\\u001b\[2Jb\\rc\\bd\\u001b\te\nf\n/);
  t.notMatch(shown, /[^\P{Cc}\n\t]/u);
});

t.test('the banner says where the service is, where its data is, and what to type next', async (t) => {
  const config = loadConfig({ DATA_DIR: '/data' });
  const banner = describeStart('http://127.0.0.1:8080', config);
  for (const part of [
    'Dashboard     http://127.0.0.1:8080/\n',
    'Data folder   /data\n',
    'curl -X PUT http://127.0.0.1:8080/v1/projects/consilio/services/api\n',
    'dist/bin/port-allocator.cjs run web -- npm start\n',
  ]) {
    t.ok(banner.includes(part), part);
  }
  const closed = describeStart('http://127.0.0.1:8080', {
    ...config,
    adminApiKey: 'secret',
    databaseUrl: 'postgres://x',
  });
  t.match(closed, /curl -X PUT -H 'Authorization: Bearer KEY' http/);
  t.notMatch(closed, /secret|postgres:|\/data/);
});
