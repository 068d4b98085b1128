// What each kind of command has to see before it is decided, and which may be executed a second time.
import t from 'tap';
import type { Needs } from '../../src/allocator/command.js';
import { isRepeatable, needsOf, type ProjectCommand } from '../../src/allocator/decide.js';
import {
  adopt,
  allocate,
  allocateEnvironment,
  type CommandOf,
  claim,
  getOrAllocate,
  key,
  release,
  reserve,
} from '../helpers/project-commands.js';
import { TCP, UDP } from '../helpers/project-facts.js';

interface Case<Kind extends ProjectCommand['kind']> {
  command: CommandOf<Kind>;
  needs: Needs;
  isRepeatable: boolean;
}

const id = 'some id';
const idempotency = { caller: 'ci', key: 'k', requestHash: 'hash' };
const api = key('api');
const web = key('web');
const details = { description: 'x', cloudflareHostname: 'api.example.com' };
const hostnames = ['api.example.com'];
const environments = ['default'];
const anyPort = { ...TCP, port: null };

/** Some of every kind: the compiler asks for a kind that is missing. */
const cases: { [Kind in ProjectCommand['kind']]: [Case<Kind>, ...Case<Kind>[]] } = {
  'get-or-allocate': [
    {
      command: getOrAllocate('api'),
      needs: { keys: [api], takes: [{ ...api, port: null }], environments, hostnames: [] },
      isRepeatable: true,
    },
    {
      // Details that are given again would undo what somebody else has changed in between.
      command: getOrAllocate('api', { details }),
      needs: { keys: [api], takes: [{ ...api, port: null }], environments, hostnames },
      isRepeatable: false,
    },
  ],
  allocate: [
    {
      command: allocate('api'),
      needs: { takes: [{ ...api, port: null, prefer: null }], environments, hostnames: [], idempotency: null },
      isRepeatable: false,
    },
    {
      command: allocate('api', { port: 3001, details, idempotency }),
      needs: { takes: [{ ...api, port: 3001, prefer: null }], environments, hostnames, idempotency },
      isRepeatable: true,
    },
    {
      command: allocate('api', { prefer: 3001 }),
      needs: { takes: [{ ...api, port: null, prefer: 3001 }], environments, hostnames: [], idempotency: null },
      isRepeatable: false,
    },
  ],
  'allocate-both': [
    {
      command: { kind: 'allocate-both', key: api, details, port: null, prefer: 3001, idempotency },
      needs: {
        takes: [
          { ...TCP, port: null, prefer: 3001, all: true },
          { ...UDP, port: null, prefer: 3001, all: true },
        ],
        environments,
        hostnames,
        idempotency,
      },
      isRepeatable: true,
    },
    {
      command: { kind: 'allocate-both', key: api, details, port: 3001, prefer: null, idempotency: null },
      needs: {
        takes: [
          { ...TCP, port: 3001, prefer: null },
          { ...UDP, port: 3001, prefer: null },
        ],
        environments,
        hostnames,
        idempotency: null,
      },
      isRepeatable: false,
    },
  ],
  'allocate-environment': [
    {
      command: allocateEnvironment(['api', 'web']),
      needs: {
        put: 'default',
        keys: [api, web],
        takes: [
          { ...api, port: null },
          { ...web, port: null },
        ],
        environments: ['default', 'default'],
        hostnames: [],
      },
      isRepeatable: true,
    },
    {
      command: {
        kind: 'allocate-environment',
        services: [
          { key: api, details: {} },
          { key: web, details },
        ],
      },
      needs: {
        put: 'default',
        keys: [api, web],
        takes: [
          { ...api, port: null },
          { ...web, port: null },
        ],
        environments: ['default', 'default'],
        hostnames,
      },
      isRepeatable: false,
    },
  ],
  release: [{ command: release(id), needs: { ids: [id], releases: true, frees: [] }, isRepeatable: true }],
  // The second answer would be empty.
  'release-service': [
    { command: { kind: 'release-service', key: api }, needs: { keys: [api], releases: true }, isRepeatable: false },
  ],
  'release-environment': [
    {
      command: { kind: 'release-environment', environment: 'default', ...TCP },
      needs: { environment: { environment: 'default', ...TCP }, releases: true },
      isRepeatable: false,
    },
  ],
  update: [{ command: { kind: 'update', id, details }, needs: { ids: [id], hostnames }, isRepeatable: false }],
  'update-service': [
    { command: { kind: 'update-service', key: api, details }, needs: { keys: [api], hostnames }, isRepeatable: false },
  ],
  reserve: [
    { command: reserve(), needs: { takes: [anyPort], reserves: true, idempotency: null }, isRepeatable: false },
    {
      command: reserve({ port: 3001, idempotency }),
      needs: { takes: [{ ...TCP, port: 3001 }], reserves: true, idempotency },
      isRepeatable: true,
    },
  ],
  'claim-reservation': [
    {
      command: claim(id),
      needs: { reservationId: id, environments, hostnames: [], idempotency: null },
      isRepeatable: true,
    },
    {
      command: claim(id, { details, idempotency }),
      needs: { reservationId: id, environments, hostnames, idempotency },
      isRepeatable: true,
    },
  ],
  'renew-reservation': [
    {
      command: { kind: 'renew-reservation', reservationId: id, ttlSeconds: 60 },
      needs: { reservationId: id },
      isRepeatable: false,
    },
  ],
  'cancel-reservation': [
    {
      command: { kind: 'cancel-reservation', reservationId: id },
      needs: { reservationId: id },
      isRepeatable: true,
    },
  ],
  adopt: [
    {
      // What the first execution adopted, the second would call held.
      command: adopt(3001),
      needs: {
        environment: { environment: 'default', ...TCP },
        port: { port: 3001, ...TCP },
        takes: [{ port: 3001, ...TCP }],
        environments,
        metadata: false,
      },
      isRepeatable: false,
    },
    {
      command: adopt(3001, { environment: 'staging' }),
      needs: {
        environment: { environment: 'staging', ...TCP },
        port: { port: 3001, ...TCP },
        takes: [{ port: 3001, ...TCP }],
        environments: ['staging'],
        metadata: false,
      },
      isRepeatable: false,
    },
  ],
};

for (const [kind, all] of Object.entries(cases)) {
  t.test(`${kind} needs what it decides on, and says whether it may be executed twice`, async (t) => {
    for (const { command, needs, isRepeatable: expected } of all) {
      t.match(needsOf(command), needs);
      t.same(Object.keys(needsOf(command)).sort(), Object.keys(needs).sort(), 'and nothing else');
      t.equal(isRepeatable(command), expected);
    }
  });
}
