// What each check of `pa doctor` decides, from what was observed.
import { chmod, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { checkFolder, checkOtherFolder, observeFolder } from '../../../src/cli/doctor/data-folder.js';
import { checkCommand, checkGit, checkNode, findOnPath } from '../../../src/cli/doctor/programs.js';
import { checkInstructions, checkStrangers, readInstructions } from '../../../src/cli/doctor/project.js';
import {
  checkClock,
  checkLocalService,
  checkRemoteService,
  checkVersion,
} from '../../../src/cli/doctor/service-checks.js';
import { ClientFailure } from '../../../src/client/failure.js';

const GIB = 2 ** 30;

t.test('Node has to be new enough', async (t) => {
  const level = (version: string) => checkNode(version, '>=20.19.0').level;
  t.same(['20.19.0', '20.20.1', '24.0.0'].map(level), ['right', 'right', 'right']);
  t.same(['18.20.0', '20.18.9'].map(level), ['wrong', 'wrong']);
});

t.test('git and the name of the command are looked for', async (t) => {
  t.match(checkGit(null), { level: 'warning', remedy: /^Install it/ });
  t.equal(checkGit('git version 2.39').level, 'right');
  const folder = t.testdir({ one: { pa: '' }, two: { pa: '' } });
  await chmod(join(folder, 'two', 'pa'), 0o755);
  await symlink(join(folder, 'two', 'pa'), join(folder, 'one', 'linked'));
  const path = `${join(folder, 'one')}:${join(folder, 'two')}`;
  const found = await findOnPath('pa', path);
  t.match(found, /two\/pa$/, 'a file that cannot be executed is passed over');
  t.equal(await findOnPath('linked', path), found, 'links are followed');
  t.equal(await findOnPath('nothing', path), null);
  t.equal(checkCommand('pa', found, found as string).level, 'right');
  t.match(checkCommand('pa', found, '/other'), { level: 'warning', remedy: 'Call this one port-allocator.' });
  t.match(checkCommand('port-allocator', null, '/other'), { level: 'warning', detail: /not on the PATH/ });
});

t.test('a data folder has to be of this user, writable, closed to others, and have room', async (t) => {
  const folder = { path: '/data', found: { isFolder: true, uid: 1000, mode: 0o700 }, isWritable: true, freeBytes: GIB };
  t.equal(checkFolder(folder, 1000).level, 'right');
  t.equal(checkFolder({ ...folder, found: null }, 1000).level, 'right');
  t.match(checkFolder(folder, 1001), {
    level: 'wrong',
    detail: /another user \(uid 1000\)/,
    remedy: /chown 1001 \/data/,
  });
  t.match(checkFolder({ ...folder, isWritable: false }, 1000), { level: 'wrong', detail: /cannot be written/ });
  t.match(checkFolder({ ...folder, isWritable: false, found: null }, 1000), {
    level: 'wrong',
    detail: /cannot be created/,
  });
  const open = { ...folder, found: { isFolder: true, uid: 1000, mode: 0o755 } };
  t.match(checkFolder(open, 1000), { level: 'wrong', detail: /mode 0755/, remedy: 'Run chmod 700 /data.' });
  t.equal(checkFolder(open, undefined).level, 'right', 'Windows has no modes');
  t.match(checkFolder({ ...folder, freeBytes: 2 ** 20 }, 1000), { level: 'wrong', detail: /disk .* 1 MiB/ });
  t.match(checkFolder({ ...folder, found: { isFolder: false, uid: 1000, mode: 0o600 } }, 1000), { level: 'wrong' });
});

t.test('a data folder is observed, also one that is not there yet', async (t) => {
  const path = t.testdir({ file: '' });
  await chmod(path, 0o750);
  t.match(await observeFolder(path), {
    found: { isFolder: true, uid: process.geteuid?.(), mode: 0o750 },
    isWritable: true,
  });
  t.match(await observeFolder(join(path, 'a', 'b')), { found: null, isWritable: true, freeBytes: Number });
  t.match(await observeFolder(join(path, 'file')), { found: { isFolder: false } });
  t.match(await observeFolder('/proc/nothing'), { found: null, freeBytes: Number });
});

t.test('a second registry in the usual folder is told', async (t) => {
  const usual = t.testdir({ database: {} });
  t.same(await checkOtherFolder(usual, usual), []);
  t.same(await checkOtherFolder('/data', '/nowhere'), []);
  t.match(await checkOtherFolder('/data', usual), [{ check: 'second-registry', level: 'warning' }]);
});

t.test('a service that holds the lock and cannot be reached is told with the reason', async (t) => {
  const holder = { pid: 7, mode: 'background' as const, url: null };
  const check = (state: Parameters<typeof checkLocalService>[0]) => checkLocalService(state, '/data');
  t.equal(check({ state: 'none' }).level, 'right');
  const unreachable = { state: 'unreachable' as const, isSilent: false };
  t.match(check({ ...unreachable, holder }), { level: 'wrong', detail: /starting or ending/ });
  t.match(check({ ...unreachable, holder: { ...holder, path: '/s' } }), { level: 'wrong', detail: /container/ });
  t.match(check({ ...unreachable, holder: null }), { level: 'wrong', detail: /^A process has \/data/ });
  const silent = { ...unreachable, isSilent: true, holder: { ...holder, path: '/s' } };
  t.match(check(silent), { level: 'wrong', detail: /does not answer/, remedy: /kill 7.*service\.log/ });
  t.match(check({ ...unreachable, holder: { ...holder, mode: 'command' } }), { level: 'warning', detail: /backup/ });
});

t.test('a service at PORT_ALLOCATOR_URL is out of reach, refuses the key, or answers', async (t) => {
  t.equal(checkRemoteService('http://a', null).level, 'right');
  const refused = new ClientFailure('unreachable', 'Nobody listens.', 'Start it.');
  t.match(checkRemoteService('http://a', refused), { level: 'wrong', detail: 'Nobody listens.', remedy: 'Start it.' });
  const problem = { status: 401, code: 'unauthorized', detail: 'No such key.' };
  const key = new ClientFailure('refused', problem.detail, '', problem);
  t.match(checkRemoteService('http://a', key), {
    level: 'wrong',
    detail: /refuses PORT_ALLOCATOR_API_KEY: No such key/,
  });
});

t.test('versions and clocks may not differ', async (t) => {
  t.same(checkVersion('1.0.0', null), []);
  t.match(checkVersion('1.0.0', '1.0.0'), [{ level: 'right' }]);
  t.match(checkVersion('1.0.0', '1.1.0'), [{ level: 'warning' }]);
  const date = 'Fri, 27 Nov 2026 12:00:00 GMT';
  const at = (seconds: number) => checkClock(date, Date.parse(date) + seconds * 1000);
  t.match([...at(59), ...at(-59)], [{ level: 'right' }, { level: 'right' }]);
  t.match(at(90), [{ level: 'wrong', detail: /90 s ahead of/ }]);
  t.match(at(-90), [{ level: 'wrong', detail: /90 s behind/ }]);
  t.same(checkClock(undefined, 0), []);
});

t.test("agents' instruction files have the rule, in whatever file an agent reads", async (t) => {
  const path = t.testdir({
    'CLAUDE.md': '@AGENTS.md\n',
    'AGENTS.md': 'Ports: `pa run web -- npm start`.\n',
    '.github': { 'copilot-instructions.md': 'Be brief.\n' },
    '.cursor': { rules: { 'a.mdc': 'Be brief.', 'b.mdc': 'Call get-port.', 'c.txt': 'no rule' } },
  });
  const levels = async () =>
    checkInstructions(await readInstructions(path)).map(({ level, detail }) => [detail.split(' ')[0], level]);
  t.same(await levels(), [
    ['CLAUDE.md', 'right'],
    ['AGENTS.md', 'right'],
    ['.github/copilot-instructions.md', 'wrong'],
    ['.cursor/rules', 'right'],
  ]);
  await writeFile(join(path, 'AGENTS.md'), 'Be brief.\n');
  t.match(await levels(), [
    ['CLAUDE.md', 'wrong'],
    ['AGENTS.md', 'wrong'],
  ]);
  t.same(await readInstructions(t.testdir()), []);
});

t.test('a process that runs elsewhere is a stranger, unless it cannot be told', async (t) => {
  const held = { port: 3100, service: 'web', host: 'localhost', protocol: 'tcp' as const };
  const listener = { port: 3100, address: '*', process: 'node', pid: 7, path: '/home/me/other' };
  const check = (change: object = {}, of: object = {}) =>
    checkStrangers([{ ...held, ...of }], [{ ...listener, ...change }], '/home/me/shop').map(({ level }) => level);
  t.same(check(), ['wrong']);
  t.same(check({ path: '/home/me/shop' }), ['right']);
  t.same(check({ path: '/home/me/shop/packages/web' }), ['right']);
  t.same(check({ path: '/home/me/shop-2' }), ['wrong'], 'a folder whose name begins the same is another one');
  t.same(check({ path: null }), ['right']);
  t.same(check({ path: '/' }), ['right']);
  t.same(check({ process: 'docker-proxy' }), ['right']);
  t.same(check({ port: 3101 }), ['right']);
  t.same(check({}, { protocol: 'udp' }), ['right']);
  t.same(check({}, { host: 'build-1' }), ['right']);
  t.same(checkStrangers([held], null, '/home/me/shop'), []);
  t.same(checkStrangers([], [listener], '/home/me/shop'), []);
});
