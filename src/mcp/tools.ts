import type { CallToolResult } from '@modelcontextprotocol/server';
import type { Ajv2020 } from 'ajv/dist/2020.js';
import { actorOf, describeClient } from '../access/actor.js';
import type { Redact } from '../access/redact.js';
import { callerFields, objectFields } from '../change-log.js';
import { toRefusal } from '../database/errors.js';
import { AppError, type FieldError } from '../errors.js';
import { describeFinding, type Finding, unknownFieldOf } from '../input/findings.js';
import { createValidator } from '../schemas/validation.js';
import type { Service } from '../service.js';
import { type ReadFolder, requireUsable } from './folder.js';
import { invalidInput, omitNullsDeep, parseJsonTexts, requireStorable } from './inputs.js';
import { openFolderReader, type ReadHere } from './read-folder.js';
import { refuse, succeed, type ToolLog } from './results.js';
import { requireRepeatable, type Tool, type ToolCall } from './tool.js';
import { allocatePort, getPort, listPorts } from './tools/allocations.js';
import { getEnvironmentPorts, listEnvironments, releaseEnvironment } from './tools/environments.js';
import { DESCRIPTIVE, releasePort, updatePort } from './tools/held-ports.js';
import { describePort } from './tools/ports.js';
import { createRange, listRanges, portSummary } from './tools/ranges.js';
import { auditPorts, importPorts } from './tools/reality.js';
import { cancelReservation, claimReservation, reservePort } from './tools/reservations.js';

/** In the order in which agents see them, the most used first. These are what an agent needs that runs services. */
export const coreTools: readonly Tool[] = [
  getPort,
  getEnvironmentPorts,
  allocatePort,
  listPorts,
  describePort,
  releasePort,
  releaseEnvironment,
  updatePort,
  reservePort,
  portSummary,
  auditPorts,
];

export const tools: readonly Tool[] = [
  ...coreTools,
  claimReservation,
  cancelReservation,
  listEnvironments,
  listRanges,
  createRange,
  importPorts,
];

/** Every tool can be called, also where only the core tools are listed: refusals name what leads on. */
export const findTool = (name: string): Tool | undefined => tools.find((tool) => tool.name === name);

/** For calls whose client has disconnected: what fails for that reason is no error to report. */
const NO_LOG: ToolLog = { error() {}, warn() {}, info() {} };

/** Executes a call. Never throws: refusals and unexpected errors are results too. */
export type CallTool = (call: ToolCall) => Promise<CallToolResult>;

/** Makes the function that executes tool calls on the service's registry. Inputs are validated as those of REST are. */
export function openTools({
  registry,
  auditor,
  listeners,
  listenerWarnings,
  config,
  observer,
  log,
  redact,
}: Service): CallTool {
  const firstRange = { reuseCooldownSeconds: config.reuseCooldownSeconds };
  const ajv = createValidator({ coerceTypes: false });
  const readHere = openFolderReader();
  const logCall = openCallLog(log, redact);
  return async (call) => {
    const begun = performance.now();
    try {
      const tool = findTool(call.name);
      if (!tool) throw new AppError('not-found', `There is no tool ${call.name} here.`);
      const input = readInput(call.input, tool, ajv);
      requireNoApiKey(input, redact);
      requireRepeatable(tool, call);
      const isAbandoned = () => call.signal.aborted;
      const actor = () => actorOf(call.caller, describeClient(call.client ?? undefined, redact));
      const intent = tool.annotations.readOnlyHint ? 'read' : 'change';
      const session = registry.as(call.caller, intent, { isAbandoned, actor });
      const readFolder = folderReaderOf(call, readHere);
      const context = { session, auditor, listeners, listenerWarnings, firstRange, readFolder };
      const answer = await tool.execute(context, input, call);
      if (!tool.annotations.readOnlyHint) logCall(call, 'done', answer.content, begun);
      return succeed(answer);
    } catch (error) {
      const { code } = toRefusal(error);
      logCall(call, code, null, begun);
      observer.refused(code);
      return refuse(error, call.requestId, call.signal.aborted ? NO_LOG : log, redact);
    }
  };
}

/** Logs calls that changed something or were refused, in the same form as requests over REST. */
function openCallLog(log: ToolLog, redact: Redact) {
  return (call: ToolCall, outcome: string, answer: unknown, begun: number): void => {
    const ms = Math.round((performance.now() - begun) * 10) / 10;
    const object = objectFields(call.input, answer, redact);
    log.info(
      { reqId: call.requestId, ...callerFields(call.caller), operation: redact(call.name), object, outcome, ms },
      'Answered',
    );
  };
}

/** @returns a copy of the input, with defaults filled in and hosts in the form in which they are stored */
function readInput(given: unknown, { input: schema }: Tool, ajv: Ajv2020): Record<string, unknown> {
  requireStorable(given);
  const isObject = typeof given === 'object' && given !== null && !Array.isArray(given);
  const copy = isObject ? omitNullsDeep(structuredClone(given)) : {};
  const input = parseJsonTexts(copy, schema);
  requireStorable(input);
  // Compiles the schema of a tool at its first call, and keeps the result.
  const validate = ajv.compile(schema);
  if (!validate(isObject || given == null ? input : given)) {
    throw invalidInput(describeWrong(validate.errors?.[0] as Finding));
  }
  return input;
}

/** What is wrong with an input. Agents send a description to `get-port`, say, so they are told which tool takes it. */
function describeWrong(finding: Finding): FieldError {
  const error = describeFinding(finding);
  const unknown = unknownFieldOf(finding);
  const isDescriptive = finding.instancePath === '' && DESCRIPTIVE.some((name) => name === unknown);
  return isDescriptive ? { ...error, detail: `${error.detail} Call update-port to set it, after this.` } : error;
}

/**
 * Any text may be an environment, and an API key that got there by mistake would be stored as the name that is made of it.
 * @throws AppError validation-failed
 */
function requireNoApiKey({ environment }: { environment?: unknown }, redact: Redact): void {
  if (typeof environment !== 'string' || redact(environment) === environment) return;
  throw invalidInput({
    pointer: '/environment',
    detail: 'has an API key in it, which belongs nowhere but to the client',
  });
}

/** The folder that a bridge has sent counts, and without a bridge an agent of this machine may name one. */
function folderReaderOf({ folder, isLocal }: ToolCall, readHere: ReadHere): ReadFolder {
  return async (cwd) => {
    if (folder !== null) return requireUsable(folder);
    if (cwd === undefined) return null;
    if (isLocal) return readHere(cwd);
    const detail =
      'cannot be read from here, because the service may be on another machine: name project and environment';
    throw invalidInput({ pointer: '/cwd', detail });
  };
}
