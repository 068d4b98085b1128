// What agents are asked to do, and what it takes: the table of docs/mcp.md says what is measured here.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { packageRoot } from '../../src/package-root.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { git, makeRepository } from '../helpers/git.js';
import { clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

const MOST_CALLS = 2;
/** Measured over all calls and answers below with the encoding o200k_base, which makes many tokens of numbers and ids. */
const BYTES_PER_TOKEN = 3.35;

const app = await makeApp(t, await openPostgres(t));
const request = requester(app);
for (const service of ['web', 'api']) await request('PUT', `/v1/projects/odin/services/${service}`);
const [{ overHttp }] = clients as [(typeof clients)[number]];
const client = await closeAtEnd(t, overHttp(await listenMcp(app)));
const main = makeRepository(t, 'shop');
const worktree = join(main, '..', 'shop-cart');
git(main, 'worktree', 'add', '--quiet', '-b', 'feature/cart', worktree);

type Input = Record<string, unknown>;
type Step = [tool: string, input: Input | ((before: { id: string }) => Input), answer: RegExp];

interface Task {
  task: string;
  /** What the tools took before they were made for tasks: calls, and the bytes of calls and answers. */
  before: [calls: number, bytes: number];
  steps: Step[];
}

/** In this order, since later ones need what earlier ones have made. */
const TASKS: Task[] = [
  {
    task: 'Start the Next app of this checkout, whose project is new.',
    before: [3, 997],
    steps: [['get-port', { service: 'web', cwd: main }, /^web of shop \(environment default\): 3600$/]],
  },
  {
    task: 'Start the same app in this worktree, on its branch feature/cart.',
    before: [2, 885],
    steps: [['get-port', { service: 'web', cwd: worktree }, /\(environment shop-cart\): 3601$/]],
  },
  {
    task: 'Start the API of the branch feature/checkout.',
    before: [2, 905],
    steps: [
      [
        'get-port',
        { service: 'api', project: 'shop', environment: 'feature/checkout' },
        /^api of shop \(environment feature-checkout-[a-z0-9]{4}\): 3602$/,
      ],
    ],
  },
  {
    task: 'Five ports for the compose file of this worktree.',
    before: [1, 2025],
    steps: [
      [
        'get-environment-ports',
        { services: ['web', 'api', 'db', 'cache', 'mail'], cwd: worktree },
        /WEB_PORT=3601\nAPI_PORT=3603\nDB_PORT=3604\nCACHE_PORT=3605\nMAIL_PORT=3606$/,
      ],
    ],
  },
  {
    task: '3603 is in use: whose is it?',
    before: [1, 858],
    steps: [['describe-port', { port: 3603 }, /^3603: held\.\nHolder: api of shop \(environment shop-cart\)/]],
  },
  {
    task: 'Which port has the API of odin? Allocate nothing.',
    before: [1, 465],
    steps: [['list-ports', { service: 'api', project: 'odin' }, /^3301 {2}api of odin \(environment default\)$/]],
  },
  {
    task: 'The API of this worktree needs a second port, for metrics.',
    before: [1, 482],
    steps: [['allocate-port', { service: 'api', cwd: worktree }, /^api of shop .*: 3607\nid: /]],
  },
  {
    task: 'One number for TCP and UDP, for a DNS server.',
    before: [1, 830],
    steps: [['allocate-port', { service: 'dns', cwd: main, protocol: 'both' }, /: 3608 for TCP and UDP\nid: /]],
  },
  {
    task: 'Hold 3650 for the demo tomorrow.',
    before: [1, 376],
    steps: [
      [
        'reserve-port',
        { cwd: main, port: 3650, ttlSeconds: 86_400, reason: 'demo' },
        /^3650 is reserved for shop until /,
      ],
    ],
  },
  {
    task: 'The demo starts, on the number that was held.',
    before: [1, 471],
    steps: [
      ['allocate-port', ({ id }) => ({ service: 'demo', cwd: main, reservationId: id }), /^demo of shop .*: 3650$/],
    ],
  },
  {
    task: 'Which of our services are down?',
    before: [1, 4075],
    steps: [
      [
        'audit-ports',
        { cwd: main },
        /: 11 ports are held, 0 listen, \d+ do not\.\nDifferences: \d+ not-running\.\n3600 {2}/,
      ],
    ],
  },
  {
    task: 'The web app is reached as shop.example.com: link it.',
    before: [1, 486],
    steps: [
      [
        'update-port',
        { service: 'web', cwd: main, cloudflareHostname: 'shop.example.com' },
        /^3600 .*, shop.example.com$/,
      ],
    ],
  },
  {
    task: 'Is there room left in this project?',
    before: [1, 824],
    steps: [['port-summary', { cwd: main }, /^shop: 3600-3699\. Of 100 ports 10 are held/]],
  },
  {
    task: 'Start the API of shopp (a misspelt name).',
    before: [2, 660],
    steps: [
      [
        'get-port',
        { service: 'api', project: 'shopp' },
        /^project-not-found: .*Did you mean shop\?\nNext: give the name/,
      ],
      ['get-port', { service: 'api', project: 'shop' }, /: 3609$/],
    ],
  },
  {
    task: 'Start the web app of billing, a project that does not exist yet.',
    before: [3, 1016],
    steps: [
      [
        'get-port',
        { service: 'web', project: 'billing' },
        /^project-not-found: .*\nNext: .*with createProject true\.$/,
      ],
      ['get-port', { service: 'web', project: 'billing', createProject: true }, /^web of billing .*: 3700$/],
    ],
  },
  {
    task: 'Clean up feature/checkout, which is merged.',
    before: [2, 912],
    steps: [
      [
        'release-environment',
        { project: 'shop', environment: 'feature/checkout' },
        /^Released 3602 \(api\) of environment feature-checkout-[a-z0-9]{4} of shop\.$/,
      ],
    ],
  },
  {
    task: 'Clean up shop-carrt (a misspelt name).',
    before: [3, 3231],
    steps: [
      [
        'release-environment',
        { cwd: main, environment: 'shop-carrt' },
        /^Nothing is held for environment shop-carrt of shop\. Close to it: shop-cart\.$/,
      ],
      [
        'release-environment',
        { cwd: main, environment: 'shop-cart' },
        /^Released 3601 \(web\), 3603 \(api\), .* of environment shop-cart of shop\.$/,
      ],
    ],
  },
];

const docs = readFileSync(join(packageRoot, 'docs/mcp.md'), 'utf8');
const bytesOf = (value: unknown): number => Buffer.byteLength(alike(JSON.stringify(value)));
/** The same at each run: in a home instead of a temporary folder, whose name may be long, and with one duration. */
const alike = (json: string): string =>
  json.replaceAll(join(main, '..'), '/home/kim').replace(/"durationMs":\d+/, '"durationMs":100');
const tokensOf = (bytes: number): string => (Math.round(bytes / BYTES_PER_TOKEN / 10) * 10).toLocaleString('en');
const sum = (numbers: number[]): number => numbers.reduce((total, one) => total + one, 0);

const measured: number[] = [];
let last = { id: '' };

for (const { task, before, steps } of TASKS) {
  t.test(task, async (t) => {
    t.ok(steps.length <= MOST_CALLS);
    let bytes = 0;
    for (const [name, given, expected] of steps) {
      const input = typeof given === 'function' ? given(last) : given;
      const { content, structuredContent } = await client.callTool({ name, arguments: input });
      t.match(content[0].text, expected, content[0].text);
      last = structuredContent ?? last;
      // Clients hand the model one of the two: the larger one counts.
      bytes +=
        bytesOf({ name, arguments: input }) + Math.max(bytesOf(content[0].text), bytesOf(structuredContent ?? ''));
    }
    measured.push(bytes);
    requireLine(t, [task, before[0], steps.length, tokensOf(before[1]), tokensOf(bytes)]);
  });
}

t.test('all of them', async (t) => {
  requireLine(t, [
    'All of these.',
    sum(TASKS.map(({ before }) => before[0])),
    sum(TASKS.map(({ steps }) => steps.length)),
    tokensOf(sum(TASKS.map(({ before }) => before[1]))),
    tokensOf(sum(measured)),
  ]);
});

function requireLine(t: Test, cells: (string | number)[]): void {
  const line = `| ${cells.join(' | ')} |`;
  t.ok(docs.includes(`\n${line}\n`), `docs/mcp.md has the line ${line}`);
}
