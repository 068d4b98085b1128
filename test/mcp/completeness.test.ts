import t from 'tap';
import { renderContract } from '../../scripts/contract.js';
import { coreTools, tools } from '../../src/mcp/tools.js';

/** The list of tools is fixed, because each word of a tool stands in the context of every agent. */
const WEBHOOKS = 'is for programs that are to learn of events, and whoever runs them makes it once';

/** Operations of the contract that have no tool, and why. */
const NOT_TOOLS: Record<string, string> = {
  getLiveness: 'is for orchestrators',
  getReadiness: 'is for orchestrators',
  getAllocation: 'list-ports and describe-port show every allocation, and agents know services, not ids',
  getRange: 'list-ranges and describe-port show every range',
  updateRange: 'is for the operators of the registry',
  deleteRange: 'is for the operators of the registry',
  listAllEnvironments: 'list-environments lists those of one project, and list-ranges the projects',
  getEnvironment: 'list-ports shows what an environment holds',
  listAudits: 'audit-ports answers the last one with maxAgeSeconds, and older ones are for people',
  getAudit: 'audit-ports answers an audit whole, as far as its limit says',
  createHealthCheck: 'audit-ports probes all that a project holds, and agents know services, not ids',
  listHealthChecks: 'is for people who look at the past of one service',
  getReservation: 'the tools that make and end a reservation answer it whole',
  listReservations: 'describe-port shows who reserves a number, port-summary how many are',
  listListeners: 'describe-port tells who listens on a number, and audit-ports what listens where it should not',
  listExcludedPorts: 'describe-port tells of any number that it is excluded, and no search for a free one finds it',
  getExcludedPort: 'describe-port tells why a number is excluded',
  excludePort: 'is a decision of the operators, which concerns every project',
  removeExcludedPort: 'is a decision of the operators, which concerns every project',
  exportAllocations: 'is fetched by the programs that it is for',
  getCloudflareStatus: 'is for administrators',
  planCloudflare: 'is for administrators',
  applyCloudflare: 'is for administrators',
  createApiKey: 'is for administrators: an agent that made keys could hand out more than it was given',
  listEvents: 'is followed by programs that run on; an agent asks for the present state',
  getCaller: 'a refusal tells an agent what its key covers, and it asks for the ports of its own folder anyway',
  listApiKeys: 'is for administrators',
  revokeApiKey: 'is for administrators',
  createWebhook: WEBHOOKS,
  listWebhooks: WEBHOOKS,
  getWebhook: WEBHOOKS,
  updateWebhook: WEBHOOKS,
  deleteWebhook: WEBHOOKS,
  listWebhookDeliveries: WEBHOOKS,
  repeatWebhookDelivery: WEBHOOKS,
  renewReservation: 'an agent reserves for as long as it needs, and get-port keeps for good',
};

/** Tools that are listed only with MCP_TOOLS=all or ?tools=all, and why. */
const NOT_CORE: Record<string, string> = {
  'claim-reservation': 'most reservations are made and ended by people and CI, and reserve-port tells the id for later',
  'cancel-reservation': 'a reservation ends by itself',
  'list-environments': 'who cleans up knows the branch that is gone; abandoned ones are found by people',
  'list-ranges': 'an agent knows its project by its folder, and refusals tell the close names of projects',
  'create-range': 'get-port gives a project its first range, and another one is a decision of people',
  'import-ports': 'is done once, when a machine gets a registry',
};

t.test('every tool is listed to all agents, or has a reason why only those that ask for all get it', async (t) => {
  const core = coreTools.map(({ name }) => name);
  const all = tools.map(({ name }) => name);
  t.same(
    all.filter((name) => !core.includes(name) && !(name in NOT_CORE)),
    [],
    'these are missing: add each to coreTools in src/mcp/tools.ts, or say in NOT_CORE above why most agents do not need it',
  );
  t.same(
    Object.keys(NOT_CORE).filter((name) => core.includes(name) || !all.includes(name)),
    [],
    'these are core tools, or no tools (any more): take them off NOT_CORE',
  );
  t.same(
    core.filter((name) => !all.includes(name)),
    [],
    'these cannot be called: list them in tools as well',
  );
  t.equal(new Set(all).size, all.length, 'no name stands for two tools');
});

t.test('every operation of the contract has a tool, or is listed with the reason why not', async (t) => {
  const { paths } = JSON.parse((await renderContract()).json) as { paths: Record<string, Record<string, object>> };
  const operations = Object.values(paths).flatMap((path) =>
    Object.values(path).map((operation) => (operation as { operationId: string }).operationId),
  );
  const done = tools.flatMap((tool) => tool.operations);
  t.same(
    operations.filter((operation) => !done.includes(operation) && !(operation in NOT_TOOLS)),
    [],
    'these are missing: add a tool in src/mcp/tools/, list it in src/mcp/tools.ts with its `operations`, or say in NOT_TOOLS above why an agent does not need it',
  );
  t.same(
    done.filter((operation) => !operations.includes(operation)),
    [],
    'these are no operations of the contract (any more): correct `operations` of the tools that name them',
  );
  t.same(
    done.filter((operation) => operation in NOT_TOOLS),
    [],
    'these are tools: take them off NOT_TOOLS',
  );
});
