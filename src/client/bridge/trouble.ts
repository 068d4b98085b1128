import { version } from '../../package-root.js';
import { isCurrent, type Message, type Result } from './messages.js';

/** The revisions of the protocol that the service takes: those that begin with `initialize`, the newest first. */
const WITH_INITIALIZE = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07'];
/** Those that begin with `server/discover`. */
const WITH_DISCOVER = ['2026-07-28'];

const SERVER = { name: 'port-allocator', title: 'Port Allocator', version };

/** What a client asks before its agent calls the first tool. */
export const isFirstQuestion = ({ method }: Message): boolean => method !== undefined && Object.hasOwn(ANSWERS, method);

const ANSWERS: { [method: string]: (params: Message['params'], trouble: string) => Result } = {
  initialize: (params, trouble) => {
    const asked = params?.protocolVersion as string;
    return {
      protocolVersion: WITH_INITIALIZE.includes(asked) ? asked : (WITH_INITIALIZE[0] as string),
      capabilities: { tools: { listChanged: true } },
      serverInfo: SERVER,
      instructions: tellAgent(trouble),
    };
  },
  'server/discover': (_params, trouble) => ({
    supportedVersions: WITH_DISCOVER,
    capabilities: { tools: { listChanged: false } },
    instructions: tellAgent(trouble),
  }),
  'tools/list': (_params, trouble) => ({
    tools: [
      {
        name: 'get-port',
        description: tellAgent(trouble),
        inputSchema: {
          type: 'object',
          properties: {
            service: { type: 'string' },
            cwd: { type: 'string', description: 'Your absolute working folder.' },
          },
          required: ['service'],
        },
      },
    ],
  }),
};

/** Without it, an agent that loses the service in the middle of its work would choose a port. */
export const DO_NOT_CHOOSE = 'Tell the user, and do not choose ports yourself.';

const tellAgent = (trouble: string): string =>
  `Port Allocator cannot be used now: ${trouble} ${DO_NOT_CHOOSE} ` +
  'get-port tries again; once it works, the other tools are there too.';

/**
 * Answers a client's first questions in place of a service that cannot be used. For example, PORT_ALLOCATOR_URL is wrong.
 * If these questions were refused, the client would show its user that the server has failed, and give the agent no
 * tools. The agent would never learn why, and choose ports itself. Instead it reads why in `instructions` and in the
 * description of the only tool that is listed. A call of this tool is passed on like any other, so that it works as soon
 * as the service does.
 * @param trouble what is wrong, and what to do about it
 */
export function answerInTrouble(message: Message, trouble: string): string {
  const { id, method, params } = message;
  const result = ANSWERS[method as string]?.(params, trouble);
  const ofRevision = isCurrent(message) && {
    resultType: 'complete',
    ttlMs: 0,
    cacheScope: 'private',
    _meta: { 'io.modelcontextprotocol/serverInfo': SERVER },
  };
  return JSON.stringify({ jsonrpc: '2.0', id, result: { ...result, ...ofRevision } });
}

/**
 * The service's answer to `initialize`, as the bridge gives it. The service itself never changes its list of tools. The
 * bridge does if the service cannot be used when the client asks for the list, and clients need not heed
 * `toolsChanged` of a server that has not announced it.
 */
export function announceListChanges(answer: { result?: { capabilities?: { tools?: object } } }): string {
  const tools = answer.result?.capabilities?.tools;
  if (tools !== undefined) Object.assign(tools, { listChanged: true });
  return JSON.stringify(answer);
}

/** Tells a client to list the tools again. */
export const toolsChanged = (): string =>
  JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
