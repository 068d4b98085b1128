import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { callCli } from '../../helpers/cli.js';
import { makeDataDir, makeSeededDir } from '../../helpers/database.js';
import { startService } from '../../helpers/service.js';

const MANIFEST = `
project: shop
services: { web: {}, api: { serviceType: http }, db: { compose: { service: postgres, target: 5432 } } }
env: { API_URL: "{api.url}/v1", COMPOSE_PROJECT_NAME: "shop-{environment}", NOTE: a b }
`;

t.test('env', async (t) => {
  const service = await startService(t, { DATA_DIR: await makeSeededDir(t) }).ready();
  const url = await service.url;
  const pa = (folder: string, ...args: string[]) => callCli(args, { folder, variables: { PORT_ALLOCATOR_URL: url } });
  const root = await makeDataDir(t);
  const folder = makeShop(join(root, 'shop'), MANIFEST);
  const variables = JSON.parse((await pa(folder, 'env', '--json')).stdout);
  const { WEB_PORT, API_PORT, DB_PORT } = variables;

  t.test('prints the ports of the whole stack, and what the manifest adds', async (t) => {
    t.equal(new Set([WEB_PORT, API_PORT, DB_PORT]).size, 3);
    const ports = { WEB_PORT, API_PORT, DB_PORT };
    const added = { API_URL: `http://localhost:${API_PORT}/v1`, COMPOSE_PROJECT_NAME: 'shop-default', NOTE: 'a b' };
    t.same(variables, { ...ports, ...added });
    t.same(JSON.parse((await pa(folder, 'env', '--format', 'json')).stdout), variables, 'the same each time');
    const lines = `WEB_PORT=${WEB_PORT}\nAPI_PORT=${API_PORT}\nDB_PORT=${DB_PORT}\nAPI_URL=http://localhost:${API_PORT}/v1\n`;
    t.equal((await pa(folder, 'env')).stdout, `${lines}COMPOSE_PROJECT_NAME=shop-default\nNOTE='a b'\n`);
    const { stdout } = await pa(folder, 'env', '--format', 'export');
    t.equal(String(execFileSync('sh', ['-c', `${stdout}\necho "$API_PORT $NOTE"`])), `${API_PORT} a b\n`);
    t.match((await pa(folder, 'env', '--format', 'compose')).stdout, `      - "127.0.0.1:${DB_PORT}:5432"\n`);
  });

  t.test('keeps them in a block of a file', async (t) => {
    const file = join(folder, '.env');
    writeFileSync(file, 'SECRET=x\r\nWEB_PORT=1\r\n');
    const first = await pa(folder, 'env', '--write', '.env');
    t.match(first, { code: 0, stdout: '' });
    t.match(
      first.stderr,
      /^\.env:2: WEB_PORT is set here too\. .*which is the block\.\nWrote WEB_PORT, .* to \.env\.\n$/,
    );
    const content = readFileSync(file, 'utf8');
    t.ok(content.startsWith('SECRET=x\r\nWEB_PORT=1\r\n# >>> port-allocator: shop >>>'));
    t.match(content, `\r\nDB_PORT=${DB_PORT}\r\n`);
    const again = await pa(folder, 'env', '--write', '.env', '--json');
    t.match(JSON.parse(again.stdout), { file: '.env', isChanged: false, variables });
    t.equal(readFileSync(file, 'utf8'), content);
  });

  t.test('writes nothing into a file that it cannot keep as it is', async (t) => {
    for (const [content, message] of [
      ['# >>> port-allocator: shop >>>\nA=1\n', /^bad:1: This line begins a block that has no end.*\nRemove the lines/],
      ['\ufeffA=1\0', /^bad has zero bytes: it is no text in UTF-8\.\nSave it as UTF-8/],
    ] as const) {
      writeFileSync(join(folder, 'bad'), content);
      const { code, stderr } = await pa(folder, 'env', '--write', 'bad');
      t.equal(code, 2);
      t.match(stderr, message);
      t.equal(readFileSync(join(folder, 'bad'), 'utf8'), content);
    }
    t.match(await pa(folder, 'env', '--write', '.'), { code: 1, stderr: '. is a folder.\nName a file.\n' });
    t.match(await pa(folder, 'env', '--write', 'x', '--format', 'json'), { code: 2 });
    t.match(await pa(folder, 'env', '--json', '--format', 'export'), { code: 2 });
    t.notOk(existsSync(join(folder, 'x')));
  });

  t.test('a second clone gets ports of its own, and keeps them when the first is gone', async (t) => {
    const clone = makeShop(join(root, 'clone'), MANIFEST);
    const own = JSON.parse((await pa(clone, 'env', '--json')).stdout);
    t.match(own.COMPOSE_PROJECT_NAME, /^shop-default-[a-z0-9]{4}$/);
    t.equal(new Set([WEB_PORT, API_PORT, DB_PORT, own.WEB_PORT, own.API_PORT, own.DB_PORT]).size, 6);
    await fetch(`${url}/v1/projects/shop/environments/default`, { method: 'DELETE' });
    t.same(JSON.parse((await pa(clone, 'env', '--json')).stdout), own);
    const third = makeShop(join(root, 'third'), 'project: shop\n');
    const taken = JSON.parse((await pa(makeShop(join(root, 'fourth'), MANIFEST), 'env', '--json')).stdout);
    t.equal(taken.COMPOSE_PROJECT_NAME, 'shop-default', 'the name is free again');
    const { code, stderr } = await pa(third, 'env');
    t.equal(code, 2);
    t.match(stderr, /^Environment default-\w{4} of shop holds no port, and no ports\.yaml names its services\.\n/);
  });

  t.test('an environment that is named is the same from every folder', async (t) => {
    const [one, two] = [makeShop(join(root, 'one'), MANIFEST), makeShop(join(root, 'two'), 'project: shop\n')];
    const first = JSON.parse((await pa(one, 'env', '--json', '--environment', 'staging')).stdout);
    const { WEB_PORT, API_PORT, DB_PORT } = first;
    const second = JSON.parse((await pa(two, 'env', '--json', '--environment', 'staging')).stdout);
    t.same(second, { WEB_PORT, API_PORT, DB_PORT }, 'without services in the manifest, what the environment holds');
  });

  t.test('a manifest with errors is told, and nothing is allocated', async (t) => {
    const broken = makeShop(join(root, 'broken'), 'project: broken\nservices: { web: { port: 1 } }\n');
    const { code, stdout, stderr } = await pa(broken, 'env');
    t.same([code, stdout], [2, '']);
    t.match(
      stderr,
      /^\/.*\/broken\/ports\.yaml:2:20: services\.web\.port is not a known field\..*\nCorrect this in the file\.\n$/,
    );
    t.equal((await fetch(`${url}/v1/projects/broken/environments`)).status, 404);
  });
});

t.test('init writes a manifest from what is there, and never over one', async (t) => {
  const folder = makeShop(join(await makeDataDir(t), 'shop'), null);
  const pa = (...args: string[]) => callCli(args, { folder });
  const file = join(folder, 'ports.yaml');
  writeFileSync(join(folder, 'compose.yaml'), 'services: { db: { ports: ["5432:5432"] }, dns: { ports: ["53/udp"] } }');
  const dry = await pa('init', '--dry-run');
  t.match(dry, { code: 0, stderr: /^compose\.yaml: a port of dns was left out/ });
  t.match(dry.stdout, /\nproject: shop\nservices:\n {2}db: \{ compose: \{ service: db, target: 5432 \} \}\n/);
  t.notOk(existsSync(file));
  t.match(await pa('init'), { code: 0, stdout: '' });
  t.equal(readFileSync(file, 'utf8'), dry.stdout);
  writeFileSync(file, 'broken: 1\n');
  t.match(await pa('init'), {
    code: 2,
    stderr: /ports\.yaml is there already\.\nEdit it, or replace it with --force\.\n$/,
  });
  t.equal(readFileSync(file, 'utf8'), 'broken: 1\n');
  t.match(await pa('init', '--force'), { code: 0 });
  t.equal(readFileSync(file, 'utf8'), dry.stdout);
});

function makeShop(folder: string, manifest: string | null): string {
  mkdirSync(folder);
  if (manifest !== null) writeFileSync(join(folder, 'ports.yaml'), manifest);
  return folder;
}
