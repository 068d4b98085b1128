// What agents are asked to do, and the calls that it takes: docs/mcp.md has the same table.
import { join } from 'node:path';
import t from 'tap';
import { makeApp } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { git, makeRepository } from '../helpers/git.js';
import { clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

const MOST_CALLS = 2;

const url = await listenMcp(await makeApp(t, await openPostgres(t)));
const [{ overHttp }] = clients as [(typeof clients)[number]];
const client = await closeAtEnd(t, overHttp(url));
const main = makeRepository(t, 'shop');
const worktree = join(main, '..', 'shop-cart');
git(main, 'worktree', 'add', '--quiet', '-b', 'feature/cart', worktree);

type Step = [tool: string, input: Record<string, unknown>, answer: RegExp];

/** In this order, since later ones need what earlier ones have made. */
const TASKS: [task: string, ...steps: Step[]][] = [
  [
    'Start the Next app of this checkout.',
    ['get-port', { service: 'web', cwd: main }, /^web of shop \(environment default\): 3600$/],
  ],
  [
    'Start the same app in this worktree.',
    ['get-port', { service: 'web', cwd: worktree }, /\(environment shop-cart\): 3601$/],
  ],
  [
    'I need five ports for compose, in this worktree.',
    [
      'get-environment-ports',
      { services: ['web', 'api', 'db', 'cache', 'mail'], cwd: worktree },
      /WEB_PORT=3601\nAPI_PORT=3602\nDB_PORT=3603\nCACHE_PORT=3604\nMAIL_PORT=3605$/,
    ],
  ],
  [
    '3602 is in use: whose is it?',
    ['describe-port', { port: 3602 }, /^3602: held\.\nHolder: api of shop \(environment shop-cart\)/],
  ],
  [
    'Which port has the API of this worktree? Allocate nothing.',
    ['list-ports', { service: 'api', cwd: worktree }, /^3602 {2}api of shop/],
  ],
  ['Which ports has odin?', ['list-ports', { project: 'odin' }, /^No such port is held\.$/]],
  ['The API needs a second port for its metrics.', ['allocate-port', { service: 'api', cwd: worktree }, /: 3606\n/]],
  [
    'Note that the API of this worktree is gRPC.',
    ['update-port', { service: 'api', cwd: worktree, serviceType: 'grpc' }, /^3602 .*grpc\n3606 .*grpc$/],
  ],
  [
    'Keep a port for the demo tomorrow.',
    ['reserve-port', { cwd: main, ttlSeconds: 86_400, reason: 'demo' }, /^3607 is reserved for shop until /],
  ],
  [
    'Is everything up that should be?',
    [
      'audit-ports',
      { project: 'shop' },
      /: 7 ports are held, 0 listen, 7 do not\.\nDifferences: 7 not-running\.\n3600 {2}/,
    ],
  ],
  [
    'Is there room left in this project?',
    ['port-summary', { cwd: main }, /^shop: 3600-3699\. Of 100 ports 7 are held/],
  ],
  [
    'Clean up the worktree shop-cart.',
    [
      'release-environment',
      { environment: 'shop-cart', cwd: main },
      /^Released 3601 \(web\), 3602 \(api\), .* of environment shop-cart of shop\.$/,
    ],
  ],
  [
    'Clean up feature/cart.',
    [
      'release-environment',
      { environment: 'feature/cart', project: 'shop' },
      /^Nothing is held for environment feature-cart-[a-z0-9]{4} of shop\./,
    ],
  ],
  [
    'Start api for the project shopp.',
    ['get-port', { service: 'api', project: 'shopp' }, /^project-not-found: .*Did you mean shop\?\nNext: /],
    ['get-port', { service: 'api', project: 'shop' }, /: 3601$/],
  ],
];

for (const [task, ...steps] of TASKS) {
  t.test(task, async (t) => {
    t.ok(steps.length <= MOST_CALLS);
    for (const [name, input, answer] of steps) {
      const { content } = await client.callTool({ name, arguments: input });
      t.match(content[0].text, answer, content[0].text);
    }
  });
}
