import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientFailure } from '../../client/failure.js';
import { makeVisible } from '../../input/visible.js';
import type { Listener } from '../../machine/listener.js';
import { isStranger } from '../../machine/strangers.js';
import type { Allocation } from '../../schemas/allocation.js';
import { type Finding, right, wrong } from './finding.js';

/** What belongs into the instructions of a coding agent. */
export const AGENT_RULE = [
  '- Never choose a port yourself: `port-allocator run SERVICE -- COMMAND` starts a service with its port in PORT, and',
  '  `port-allocator port SERVICE` prints the port. Each worktree gets ports of its own.',
  '- If a port is taken unexpectedly, `port-allocator who PORT` says whose it is. Never stop that process.',
].join('\n');

/** Files and folders in which coding agents look for instructions. */
const INSTRUCTION_FILES = ['CLAUDE.md', 'AGENTS.md', '.github/copilot-instructions.md', '.cursor/rules'];
const FILE_LIMIT_BYTES = 2 ** 20;
/** The command or its package, or a tool of MCP. */
const RULE = /port-allocator|\bpa (run|port|env)\b|\bget-port\b/i;

/** What was worked out of the current folder. @param failure if nothing was: of the manifest, or of git */
export function checkProject(detected: { project: string; environment: string } | ClientFailure): Finding {
  if ('project' in detected) {
    return right('project', `This folder is ${detected.project}, environment ${detected.environment}.`);
  }
  return wrong('project', detected.message, detected.nextStep);
}

/** @param files what each instruction file of the working tree says */
export function checkInstructions(files: readonly { name: string; text: string }[]): Finding[] {
  return files.map(({ name, text }) => {
    // A file that includes another one with `@AGENTS.md` has what is in there.
    const isIncluded = files.some(
      (other) => other.name !== name && text.includes(`@${other.name}`) && RULE.test(other.text),
    );
    if (RULE.test(text) || isIncluded) return right('instructions', `${name} tells agents of Port Allocator.`);
    return wrong(
      'instructions',
      `${name} does not tell agents where ports come from.`,
      `Add to ${name}:\n${AGENT_RULE}`,
    );
  });
}

export async function readInstructions(path: string): Promise<{ name: string; text: string }[]> {
  const files: { name: string; text: string }[] = [];
  for (const name of INSTRUCTION_FILES) {
    const text = await readInstruction(join(path, name));
    if (text !== null) files.push({ name, text });
  }
  return files;
}

/** The files of a folder count as one, because an agent reads them all. */
async function readInstruction(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory()) {
    const names = (await readdir(path)).filter((name) => /\.(mdc|md)$/.test(name));
    const texts = await Promise.all(names.map((name) => readInstruction(join(path, name))));
    return texts.length === 0 ? null : texts.join('\n');
  }
  if (!found?.isFile() || found.size > FILE_LIMIT_BYTES) return null;
  return readFile(path, 'utf8').catch(() => null);
}

/**
 * Finds ports of this environment on which a process listens that runs in another folder. A process whose folder is not
 * seen, or is the root as of a daemon, is not judged.
 * @param path the environment's folder
 */
export function checkStrangers(
  held: readonly Pick<Allocation, 'port' | 'service' | 'host' | 'protocol'>[],
  listeners: readonly Listener[] | null,
  path: string,
): Finding[] {
  if (listeners === null) return [];
  const strangers = held
    .filter(({ host, protocol }) => host === 'localhost' && protocol === 'tcp')
    .flatMap((one) => listeners.filter(({ port }) => port === one.port).map((listener) => ({ ...one, ...listener })))
    .filter((listener) => isStranger(listener, path));
  if (strangers.length === 0) {
    return held.length === 0 ? [] : [right('strangers', 'No stranger is seen on a port that is held here.')];
  }
  return strangers.map(({ port, service, process, pid, path: folder }) =>
    wrong(
      'strangers',
      `Port ${port} is held here for ${service}, and ${process ?? 'a process'} (pid ${pid}) listens on it in ${makeVisible(folder ?? '')}.`,
      `If it should not, end it there. If it is ${service} all the same, start it from ${path}.`,
    ),
  );
}
