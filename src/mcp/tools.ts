import type { CallToolResult } from '@modelcontextprotocol/server';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import { objectOf, whoOf } from '../change-log.js';
import { toRefusal } from '../database/errors.js';
import { AppError } from '../errors.js';
import { createValidator, describeFinding, type Finding } from '../schemas/validation.js';
import type { Service } from '../service.js';
import { demandStorable, invalidInput } from './inputs.js';
import { refuse, succeed, type ToolLog } from './results.js';
import type { KeyedRequest, Tool, ToolCall } from './tool.js';
import { allocatePort, getPort, listPorts, releasePort, updatePort } from './tools/allocations.js';
import { getEnvironmentPorts, listEnvironments, releaseEnvironment } from './tools/environments.js';
import { describePort } from './tools/ports.js';
import { createRange, listRanges, portSummary } from './tools/ranges.js';
import { auditPorts, importPorts } from './tools/reality.js';
import { cancelReservation, claimReservation, reservePort } from './tools/reservations.js';

/** In the order in which agents see them: the main job first. */
export const tools: readonly Tool[] = [
  getPort,
  allocatePort,
  listPorts,
  describePort,
  portSummary,
  auditPorts,
  releasePort,
  updatePort,
  getEnvironmentPorts,
  listEnvironments,
  releaseEnvironment,
  reservePort,
  claimReservation,
  cancelReservation,
  importPorts,
  listRanges,
  createRange,
];

export const findTool = (name: string): Tool | undefined => tools.find((tool) => tool.name === name);

/** What fails because its caller has gone is no news. */
const NOBODY_ASKS: ToolLog = { error() {}, warn() {}, info() {} };

/** Never throws: a refusal is a result, and so is what went wrong here. */
export type CallTool = (call: ToolCall) => Promise<CallToolResult>;

export type CallToolWithKey = (request: KeyedRequest) => Promise<CallToolResult>;

/** The tools for calls that come with a key and not through an app. */
export function openToolsForKeys(service: Service): CallToolWithKey {
  const callTool = openTools(service);
  return async ({ apiKey, ...request }) => {
    try {
      return await callTool({ ...request, caller: await service.keyring.identify(apiKey ?? null) });
    } catch (error) {
      return refuse(error, request.requestId, service.log);
    }
  };
}

/** The tools over the service's registry, with REST's validation. */
export function openTools({ registry, auditor, config, metrics, log, redact }: Service): CallTool {
  const { reuseCooldownSeconds } = config;
  const ajv = createValidator({ coerceTypes: false }); // compiles a tool's schema at its first call, and keeps it
  /** One line for each call that changed something or was refused, as for a request over REST. */
  const tell = (call: ToolCall, outcome: string, answer: unknown, begun: number) => {
    const ms = Math.round((performance.now() - begun) * 10) / 10;
    const object = objectOf(call.input, answer, redact);
    log.info({ reqId: call.requestId, ...whoOf(call.caller), operation: call.name, object, outcome, ms }, 'Answered');
  };
  return async (call) => {
    const begun = performance.now();
    try {
      const tool = findTool(call.name);
      if (!tool) throw new AppError('not-found', `There is no tool ${call.name} here.`);
      const input = readInput(call.input, ajv.compile(tool.input));
      const isAbandoned = () => call.signal.aborted;
      const session = registry.as(call.caller, tool.annotations.readOnlyHint ? 'read' : 'change', { isAbandoned });
      const context = { session, auditor, reuseCooldownSeconds };
      const answer = (await tool.execute(context, input, call)) as Record<string, unknown>;
      if (!tool.annotations.readOnlyHint) tell(call, 'done', answer, begun);
      return succeed(answer);
    } catch (error) {
      const { code } = toRefusal(error);
      tell(call, code, null, begun);
      metrics.refused(code);
      return refuse(error, call.requestId, call.signal.aborted ? NOBODY_ASKS : log);
    }
  };
}

/** A copy with defaults and canonical hosts filled in. */
function readInput(given: unknown, validate: ValidateFunction): Record<string, unknown> {
  demandStorable(given);
  const input = structuredClone(given ?? {}) as Record<string, unknown>;
  if (!validate(input)) throw invalidInput(describeFinding(validate.errors?.[0] as Finding));
  return input;
}
