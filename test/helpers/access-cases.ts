/** The objects of consilio that a case uses. They are created again before each call. */
export interface Fixture {
  allocation: string;
  reservation: string;
  audit: string;
  apiKey: string;
  webhook: string;
  delivery: string;
  /** The start port of a range in which nothing is held. */
  emptyRange: number;
}

/**
 * Who may do it: anybody, without a key too; every key; keys that see all projects; keys that may change the project;
 * admins only.
 */
export type Allowed = 'anyone' | 'keys' | 'all-seeing' | 'changers' | 'admins';

/**
 * What a key of another project gets. `hidden`: a 404, as for an id that does not exist. `refused`: a 403. `filtered`:
 * an answer in which consilio does not appear. `named`: an answer that contains the name of consilio and nothing else
 * of it. `open`: the same as everybody.
 */
export type ForOthers = 'hidden' | 'refused' | 'filtered' | 'named' | 'open';

export interface Operation {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path(fixture: Fixture): string;
  body?: object;
  allowed: Allowed;
  others: ForOthers;
}

export interface ToolUse {
  input(fixture: Fixture): object;
  allowed: Allowed;
  others: ForOthers;
}

const NOBODY = '00000000-0000-4000-8000-000000000000';
export const EXAMPLE: Fixture = {
  allocation: NOBODY,
  reservation: NOBODY,
  audit: NOBODY,
  apiKey: NOBODY,
  webhook: NOBODY,
  delivery: NOBODY,
  emptyRange: 1,
};

const at = (path: string) => () => path;
const SERVICE = at('/v1/projects/consilio/services/hush');
const ENVIRONMENT = at('/v1/projects/consilio/environments/default');
const allocation = ({ allocation }: Fixture) => `/v1/allocations/${allocation}`;
const healthChecks = (fixture: Fixture) => `${allocation(fixture)}/health-checks`;
const reservation = ({ reservation }: Fixture) => `/v1/reservations/${reservation}`;
const webhook = ({ webhook }: Fixture) => `/v1/webhooks/${webhook}`;
const emptyRange = ({ emptyRange }: Fixture) => `/v1/ranges/${emptyRange}`;

/** Every operation of the contract, called on objects of the project consilio. */
export const operations: Record<string, Operation> = {
  getLiveness: { method: 'GET', path: at('/livez'), allowed: 'anyone', others: 'open' },
  getReadiness: { method: 'GET', path: at('/readyz'), allowed: 'anyone', others: 'open' },

  getOrAllocatePort: { method: 'PUT', path: SERVICE, allowed: 'changers', others: 'refused' },
  getServicePort: { method: 'GET', path: SERVICE, allowed: 'keys', others: 'refused' },
  releaseServicePorts: { method: 'DELETE', path: SERVICE, allowed: 'changers', others: 'refused' },

  listAllEnvironments: { method: 'GET', path: at('/v1/environments'), allowed: 'keys', others: 'filtered' },
  listEnvironments: {
    method: 'GET',
    path: at('/v1/projects/consilio/environments'),
    allowed: 'keys',
    others: 'refused',
  },
  allocateEnvironment: {
    method: 'PUT',
    path: ENVIRONMENT,
    body: { services: [{ service: 'hush' }] },
    allowed: 'changers',
    others: 'refused',
  },
  getEnvironment: { method: 'GET', path: ENVIRONMENT, allowed: 'keys', others: 'refused' },
  releaseEnvironment: { method: 'DELETE', path: ENVIRONMENT, allowed: 'changers', others: 'refused' },

  allocatePort: {
    method: 'POST',
    path: at('/v1/projects/consilio/allocations'),
    body: { service: 'hush' },
    allowed: 'changers',
    others: 'refused',
  },
  listAllocations: { method: 'GET', path: at('/v1/allocations?status=any'), allowed: 'keys', others: 'filtered' },
  getAllocation: { method: 'GET', path: allocation, allowed: 'keys', others: 'hidden' },
  updateAllocation: { method: 'PATCH', path: allocation, body: {}, allowed: 'changers', others: 'hidden' },
  releaseAllocation: { method: 'DELETE', path: allocation, allowed: 'changers', others: 'hidden' },
  createHealthCheck: { method: 'POST', path: healthChecks, allowed: 'changers', others: 'hidden' },
  listHealthChecks: { method: 'GET', path: healthChecks, allowed: 'keys', others: 'hidden' },

  reservePort: {
    method: 'POST',
    path: at('/v1/projects/consilio/reservations'),
    body: { ttlSeconds: 600, reason: 'hush' },
    allowed: 'changers',
    others: 'refused',
  },
  listReservations: { method: 'GET', path: at('/v1/reservations?status=any'), allowed: 'keys', others: 'filtered' },
  getReservation: { method: 'GET', path: reservation, allowed: 'keys', others: 'hidden' },
  renewReservation: {
    method: 'PATCH',
    path: reservation,
    body: { ttlSeconds: 700 },
    allowed: 'changers',
    others: 'hidden',
  },
  cancelReservation: { method: 'DELETE', path: reservation, allowed: 'changers', others: 'hidden' },
  claimReservation: {
    method: 'POST',
    path: (fixture) => `${reservation(fixture)}/claim`,
    body: { service: 'claimed' },
    allowed: 'changers',
    others: 'hidden',
  },

  importPorts: {
    method: 'POST',
    path: at('/v1/imports'),
    body: { items: [{ port: 3100 }, { port: 3177, service: 'adopted' }] },
    allowed: 'changers',
    others: 'named',
  },
  auditPorts: { method: 'POST', path: at('/v1/audits'), body: {}, allowed: 'changers', others: 'filtered' },
  listAudits: { method: 'GET', path: at('/v1/audits'), allowed: 'keys', others: 'filtered' },
  getAudit: { method: 'GET', path: ({ audit }) => `/v1/audits/${audit}`, allowed: 'keys', others: 'hidden' },

  listRanges: { method: 'GET', path: at('/v1/ranges'), allowed: 'keys', others: 'named' },
  getRange: { method: 'GET', path: at('/v1/ranges/3100'), allowed: 'keys', others: 'named' },
  createRange: {
    method: 'POST',
    path: at('/v1/ranges'),
    body: { project: 'consilio' },
    allowed: 'admins',
    others: 'refused',
  },
  updateRange: { method: 'PATCH', path: emptyRange, body: {}, allowed: 'admins', others: 'refused' },
  deleteRange: { method: 'DELETE', path: emptyRange, allowed: 'admins', others: 'refused' },
  listProjects: { method: 'GET', path: at('/v1/projects'), allowed: 'keys', others: 'filtered' },
  ensureProject: { method: 'PUT', path: at('/v1/projects/consilio'), allowed: 'admins', others: 'refused' },
  getProjectSummary: {
    method: 'GET',
    path: at('/v1/projects/consilio/summary'),
    allowed: 'keys',
    others: 'refused',
  },
  getPort: { method: 'GET', path: at('/v1/ports/3100'), allowed: 'keys', others: 'named' },
  listPortHistory: { method: 'GET', path: at('/v1/ports/3100/history'), allowed: 'keys', others: 'filtered' },
  listListeners: { method: 'GET', path: at('/v1/listeners'), allowed: 'keys', others: 'filtered' },
  listExcludedPorts: { method: 'GET', path: at('/v1/excluded-ports'), allowed: 'keys', others: 'open' },
  getExcludedPort: { method: 'GET', path: at('/v1/excluded-ports/6000'), allowed: 'keys', others: 'open' },
  excludePort: {
    method: 'PUT',
    path: at('/v1/excluded-ports/6000'),
    body: { reason: 'Taken here' },
    allowed: 'admins',
    others: 'refused',
  },
  removeExcludedPort: { method: 'DELETE', path: at('/v1/excluded-ports/6000'), allowed: 'admins', others: 'refused' },
  exportAllocations: { method: 'GET', path: at('/v1/exports/prometheus'), allowed: 'keys', others: 'filtered' },

  listEvents: { method: 'GET', path: at('/v1/events?limit=1000'), allowed: 'keys', others: 'filtered' },
  createWebhook: {
    method: 'POST',
    path: at('/v1/webhooks'),
    body: { url: 'http://localhost:1/', projects: ['consilio'] },
    allowed: 'changers',
    others: 'refused',
  },
  listWebhooks: { method: 'GET', path: at('/v1/webhooks'), allowed: 'changers', others: 'filtered' },
  getWebhook: { method: 'GET', path: webhook, allowed: 'changers', others: 'hidden' },
  updateWebhook: { method: 'PATCH', path: webhook, body: {}, allowed: 'changers', others: 'hidden' },
  deleteWebhook: { method: 'DELETE', path: webhook, allowed: 'changers', others: 'hidden' },
  listWebhookDeliveries: {
    method: 'GET',
    path: (fixture) => `${webhook(fixture)}/deliveries`,
    allowed: 'changers',
    others: 'hidden',
  },
  repeatWebhookDelivery: {
    method: 'POST',
    path: (fixture) => `${webhook(fixture)}/deliveries/${fixture.delivery}/repeat`,
    allowed: 'changers',
    others: 'hidden',
  },
  getCloudflareStatus: { method: 'GET', path: at('/v1/cloudflare'), allowed: 'admins', others: 'refused' },
  planCloudflare: { method: 'GET', path: at('/v1/cloudflare/plan'), allowed: 'admins', others: 'refused' },
  applyCloudflare: { method: 'POST', path: at('/v1/cloudflare/apply'), allowed: 'admins', others: 'refused' },

  createApiKey: {
    method: 'POST',
    path: at('/v1/api-keys'),
    body: { name: 'another', role: 'reader' },
    allowed: 'admins',
    others: 'refused',
  },
  getCaller: { method: 'GET', path: at('/v1/caller'), allowed: 'keys', others: 'filtered' },
  listApiKeys: { method: 'GET', path: at('/v1/api-keys'), allowed: 'admins', others: 'refused' },
  revokeApiKey: {
    method: 'DELETE',
    path: ({ apiKey }) => `/v1/api-keys/${apiKey}`,
    allowed: 'admins',
    others: 'refused',
  },
};

/** Routes that are not in the contract and answer with data of the registry. */
export const otherRoutes: Record<string, Operation> = {
  metrics: { method: 'GET', path: at('/metrics'), allowed: 'all-seeing', others: 'refused' },
};

const consilio = { project: 'consilio' };
const hush = { ...consilio, service: 'hush' };

/** Every MCP tool, called on the same objects. */
export const toolUses: Record<string, ToolUse> = {
  'get-port': { input: () => hush, allowed: 'changers', others: 'refused' },
  'allocate-port': { input: () => hush, allowed: 'changers', others: 'refused' },
  'list-ports': { input: () => ({}), allowed: 'keys', others: 'filtered' },
  'describe-port': { input: () => ({ port: 3100 }), allowed: 'keys', others: 'named' },
  'port-summary': { input: () => consilio, allowed: 'keys', others: 'refused' },
  'audit-ports': { input: () => ({}), allowed: 'changers', others: 'filtered' },
  'release-port': { input: ({ allocation }) => ({ id: allocation }), allowed: 'changers', others: 'hidden' },
  'update-port': {
    input: ({ allocation }) => ({ id: allocation, description: 'hush' }),
    allowed: 'changers',
    others: 'hidden',
  },
  'get-environment-ports': {
    input: () => ({ ...consilio, environment: 'default', services: ['hush'] }),
    allowed: 'changers',
    others: 'refused',
  },
  'list-environments': { input: () => consilio, allowed: 'keys', others: 'refused' },
  'release-environment': {
    input: () => ({ ...consilio, environment: 'default' }),
    allowed: 'changers',
    others: 'refused',
  },
  'reserve-port': { input: () => ({ ...consilio, ttlSeconds: 600 }), allowed: 'changers', others: 'refused' },
  'claim-reservation': {
    input: ({ reservation }) => ({ id: reservation, service: 'claimed' }),
    allowed: 'changers',
    others: 'hidden',
  },
  'cancel-reservation': { input: ({ reservation }) => ({ id: reservation }), allowed: 'changers', others: 'hidden' },
  'import-ports': {
    input: () => ({ items: [{ port: 3100 }, { port: 3177, service: 'adopted' }] }),
    allowed: 'changers',
    others: 'named',
  },
  'list-ranges': { input: () => ({}), allowed: 'keys', others: 'named' },
  'create-range': { input: () => consilio, allowed: 'admins', others: 'refused' },
};
