// What the commands of ports print, and what they do.
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { CLI, openShop } from '../../helpers/cli.js';

const { pa, folder, service } = await openShop(t);
const { call } = service;

t.test('port prints the number alone, also for a project that is not known yet', async (t) => {
  t.same(await pa(['port', 'web']), { code: 0, signal: null, stdout: '3600\n', stderr: '' });
  t.same(await pa(['port', 'web']), { code: 0, signal: null, stdout: '3600\n', stderr: '' });
  t.equal((await pa(['port', 'dns', '--protocol', 'udp'])).stdout, '3600\n', 'a port space of its own');
  t.equal((await pa(['port', 'web', '--environment', 'staging'])).stdout, '3601\n');
  t.equal((await pa(['port', 'web', '--project', 'consilio'])).stdout, '3100\n');
  t.match(JSON.parse((await pa(['port', 'web', '--json'])).stdout), { port: 3600, project: 'shop', service: 'web' });
});

t.test('url prints where the service is', async (t) => {
  t.equal((await pa(['url', 'web'])).stdout, 'http://localhost:3600\n');
  t.match(JSON.parse((await pa(['url', '--json'])).stdout), { url: 'http://localhost:3600', port: 3600 });
  t.equal((await pa(['url', 'web', '--host', 'fd00::7'])).stdout, 'http://[fd00::7]:3600\n');
  await pa(['release', 'web', '--host', 'fd00::7']);
  const browser = join(folder, 'browser');
  const opened = join(folder, 'opened');
  await writeFile(browser, `#!/bin/sh\necho "$1" > '${opened}'\n`, { mode: 0o755 });
  const result = await pa(['url', 'web', '--open'], { variables: { BROWSER: browser } });
  t.match(result, { code: 0, stdout: 'http://localhost:3600\n', stderr: '' });
  t.equal(await readSoon(opened), 'http://localhost:3600\n');
  t.match(await pa(['url', 'web', '--open'], { variables: { BROWSER: join(folder, 'nosuch') } }), {
    code: 1,
    stdout: 'http://localhost:3600\n',
    stderr: /^The browser could not be opened: .*\nOpen http:\/\/localhost:3600 yourself\.\n$/,
  });
});

t.test('ls lists what the folder holds, and with --all everything', async (t) => {
  // Of the same port the order is that of the ids, which are random.
  const [head, ...rows] = (await pa(['ls'])).stdout.trimEnd().split('\n');
  t.equal(head, 'PORT  SERVICE  ENVIRONMENT  PROTOCOL  STATUS');
  t.same(rows.sort(), [
    '3600  dns      default      udp       not probed',
    '3600  web      default      tcp       not checked yet',
  ]);
  t.match(
    (await pa(['ls', '--project', 'shop', '--protocol', 'tcp'])).stdout,
    /^3601 {2}web {6}staging {6}not checked yet$/m,
  );
  t.match((await pa(['ls', '--all'])).stdout, /^PORT {2}PROJECT .*\n3100 {2}consilio /);
  t.equal(JSON.parse((await pa(['ls', '--all', '--json'])).stdout).length, 4);
  t.match(await pa(['ls', '--environment', 'nosuch']), {
    code: 0,
    stdout: '',
    stderr: /^No ports are held for shop \(environment nosuch\)\. pa port SERVICE gets one/,
  });
});

t.test('in a folder that was removed the command says so', { skip: process.platform === 'win32' }, async (t) => {
  const script = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$@"';
  const result = await pa(['run', 'web', '--', 'sh', '-c', script, process.execPath, CLI, 'port']);
  t.match(result, { code: 2, stdout: '', stderr: /^The current folder is not there any more\.\nChange to another/m });
});

t.test('ls --all reads all pages', async (t) => {
  const services = Array.from({ length: 1000 }, (_, i) => ({ service: `s${i}` }));
  await call('PUT', '/v1/projects/shared-services/environments/many', { services });
  t.equal(JSON.parse((await pa(['ls', '--all', '--json'])).stdout).length, 1004);
  t.equal((await call('DELETE', '/v1/projects/shared-services/environments/many')).status, 200);
});

t.test('reserve prints the number, and tells until when', async (t) => {
  const { code, stdout, stderr } = await pa(['reserve', 'search', '--ttl', '1h', '--reason', 'for the firewall']);
  t.match([code, stdout, stderr], [0, '3602\n', /^Reserved for shop until \d{4}-.*Z\.\n$/]);
  t.match((await pa(['who', '3602'])).stdout, /^3602: reserved for search of shop until .*Z\. for the firewall\n/);
  t.match(JSON.parse((await pa(['reserve', '--port', '3690', '--by', 'ci', '--json'])).stdout), {
    port: 3690,
    service: null,
    reservedBy: 'ci',
  });
  t.match(await pa(['reserve', '--port', '3690']), { code: 1, stdout: '', stderr: /3690.*\n.*\n$/ });
  await pa(['reserve', '--port', '3691', '--reason', 'right\u202eleft']);
  t.match((await pa(['who', '3691'])).stdout, / right\\u\{202e\}left\n/, 'what is not seen is written out');
  const told = (await pa(['who', '3691', '--json'])).stdout;
  t.match([told, JSON.parse(told).reservation.reason], [/"right\\u202eleft"/, 'right\u202eleft']);
  t.equal((await pa(['reserve', '--project', 'brand-new'])).stdout, '3700\n', 'a project that is not known is created');
  t.match(await pa(['reserve', '--ttl', 'soon']), {
    code: 2,
    stderr: /^--ttl "soon" is no length of time\.\nWrite it/,
  });
  t.match(await pa(['reserve', '--ttl', '31d']), {
    code: 2,
    stderr: /^A reservation holds for 1 second to 30 days\.\n/,
  });
});

t.test('who tells why a port is excluded', async (t) => {
  const { stdout } = await pa(['who', '3659']);
  t.match(stdout, /^3659: excluded: Browsers and fetch\(\) refuse it .*\nIt is in the range 3600-3699 of shop\.\n/);
  const told = JSON.parse((await pa(['who', '3659', '--json'])).stdout);
  t.match(told, { state: 'excluded', reason: /^Browsers and fetch\(\) refuse it/ });
  t.match(JSON.parse((await pa(['who', '3658', '--json'])).stdout), { state: 'free', reason: null });
});

t.test('the manifest says which services there are', async (t) => {
  const inside = join(dirname(folder), 'stack');
  await mkdir(inside);
  await writeFile(
    join(inside, 'ports.yaml'),
    'project: stack\nservices: { web: {}, api: {}, db: {} }\nenv: { API: "{api.url}" }\n',
  );
  const run = (...args: string[]) => pa(args, { folder: inside });
  t.match(await run('port'), {
    code: 2,
    stderr: /^Which service\? .*ports\.yaml has web, api, db\.\nName one of them\.\n$/,
  });
  t.match(await run('port', 'wep'), {
    code: 2,
    stderr: /ports\.yaml has no service wep\. It has web, api, db\.\nDid you mean web\? /,
  });
  t.equal((await run('ls', '--project', 'stack')).stdout, '', 'nothing was allocated');
  const print =
    'console.log(process.env.PORT, process.env.WEB_PORT, process.env.API_PORT, process.env.DB_PORT, process.env.API)';
  const { stdout } = await run('run', 'api', '--', process.execPath, '-e', print);
  t.equal(stdout, '3801 3800 3801 3802 http://localhost:3801\n');
  await writeFile(join(inside, 'ports.yaml'), 'project: stack\nservices: { db: {} }\n');
  t.equal((await run('port')).stdout, '3802\n', 'the only one');
});

t.test('packages of a repository without a manifest are services of their own', async (t) => {
  const root = join(dirname(folder), 'mono');
  for (const [name, content] of [
    ['site', '{"name":"@acme/site"}'],
    ['jobs', '{}'],
  ] as const) {
    await mkdir(join(root, 'packages', name, 'src'), { recursive: true });
    await writeFile(join(root, 'packages', name, 'package.json'), content);
  }
  execFileSync('git', ['init', '--quiet', root]);
  const nameIn = async (path: string) =>
    JSON.parse((await pa(['port', '--json'], { folder: join(root, path) })).stdout).service;
  t.same(
    [await nameIn('.'), await nameIn('packages/site/src'), await nameIn('packages/jobs')],
    ['web', 'site', 'jobs'],
  );
  t.equal(await nameIn('packages'), 'web');
  await rm(root, { recursive: true });
});

/** Reads a file that another process writes. */
async function readSoon(path: string): Promise<string> {
  for (let tries = 0; tries < 100; tries++) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text !== '') return text;
    await sleep(50);
  }
  return '';
}
