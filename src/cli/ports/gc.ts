import type { Command } from 'commander';
import { readFolderState } from '../../client/machine/folder-state.js';
import { readAll } from '../../client/pages.js';
import { isOfThisMachine } from '../../client/settings.js';
import { formatDuration } from '../../input/duration.js';
import type { Allocation } from '../../schemas/allocation.js';
import type { HeldEnvironment } from '../../schemas/environment.js';
import { readDuration } from '../arguments.js';
import { type Context, openContext } from '../context.js';
import { formatTable } from '../table.js';
import { findInUse, releaseEach } from './releasing.js';

const DEFAULT_UNUSED_SECONDS = 30 * 86_400;

const EXPLANATION = `
An environment is in use while an audit finds that somebody listens on one of its ports. One that no audit has ever found
in use is left out unless --unused is given, because perhaps no audit has ever looked. A folder that is merely not
there, as on a disk that is not mounted, does not count as removed.

Examples:
  pa gc
  pa gc --unused 90d --project shop
  pa gc --yes`;

interface Options {
  unused?: number;
  yes?: boolean;
}

type Reason = 'folder-removed' | 'unused';

/** An environment that could be released, and what became of it. */
interface Leftover extends Pick<HeldEnvironment, 'project' | 'environment' | 'path' | 'lastUsedAt'> {
  reason: Reason;
  ports: number[];
  /** Somebody listens on one of its ports, so that it is kept. */
  listening: boolean;
  released: boolean;
}

export function registerGc(program: Command): void {
  program
    .command('gc')
    .description(
      'lists environments whose folder was removed, or that nobody has used for long, and releases them if asked to',
    )
    .option('--unused <duration>', 'how long nobody has used them (default: 30d)', readDuration('--unused'))
    .option('--yes', 'releases them, except where somebody listens')
    .addHelpText('after', EXPLANATION)
    .action(async ({ unused, yes = false }: Options, command: Command) => {
      const context = openContext(command);
      const { output } = context;
      const { found, unseen } = await findCandidates(context, unused);
      const leftovers: Leftover[] = [];
      for (const [environment, reason] of found) leftovers.push(await handle(context, environment, reason, yes));
      output.answer(leftovers.length === 0 ? '' : formatLeftovers(leftovers), leftovers);
      output.note(summarize(leftovers, yes));
      if (unseen > 0)
        output.note(
          `${unseen} more were allocated over 30 days ago, and no audit has found them in use: pa gc --unused 30d.`,
        );
    });
}

/** @param unused in seconds; undefined if the user does not say it */
async function findCandidates(
  { connection, options, settings }: Context,
  unused: number | undefined,
): Promise<{ found: [HeldEnvironment, Reason][]; unseen: number }> {
  const { project, environment } = options;
  const read = async (query: Record<string, number>) => {
    const all = await readAll<HeldEnvironment>(connection, '/v1/environments', { project, ...query });
    return all.filter((one) => environment === undefined || one.environment === environment);
  };
  const isUnused = new Set((await read({ unusedForSeconds: unused ?? DEFAULT_UNUSED_SECONDS })).map(nameOf));
  const found: [HeldEnvironment, Reason][] = [];
  let unseen = 0;
  for (const one of await read({})) {
    if (isOfThisMachine(settings) && (await isFolderRemoved(one))) found.push([one, 'folder-removed']);
    else if (!isUnused.has(nameOf(one))) continue;
    else if (unused !== undefined || one.lastUsedAt !== null) found.push([one, 'unused']);
    else unseen++;
  }
  return { found, unseen };
}

const nameOf = ({ project, environment }: HeldEnvironment): string => `${project} ${environment}`;

async function isFolderRemoved({ path, firstAllocatedAt }: HeldEnvironment): Promise<boolean> {
  return path !== null && (await readFolderState(path, new Date(firstAllocatedAt))) === 'removed';
}

async function handle(
  { connection, settings, output }: Context,
  { project, environment, path, lastUsedAt, listening }: HeldEnvironment,
  reason: Reason,
  isYes: boolean,
): Promise<Leftover> {
  const held = await readAll<Allocation>(connection, '/v1/allocations', { project, environment });
  const isListening = listening > 0 || (isOfThisMachine(settings) && (await findInUse(held)).length > 0);
  const isReleased = isYes && !isListening;
  if (isReleased) await releaseEach(connection, held, output);
  const ports = held.map(({ port }) => port);
  return { project, environment, path, lastUsedAt, reason, ports, listening: isListening, released: isReleased };
}

function formatLeftovers(leftovers: readonly Leftover[]): string {
  return formatTable(
    ['PROJECT', 'ENVIRONMENT', 'PORTS', 'WHY', '', 'FOLDER'],
    leftovers.map((leftover) => [
      leftover.project,
      leftover.environment,
      leftover.ports.length,
      tellReason(leftover),
      leftover.listening ? 'kept: somebody listens' : leftover.released ? 'released' : '',
      leftover.path,
    ]),
  );
}

function tellReason({ reason, lastUsedAt }: Leftover): string {
  if (reason === 'folder-removed') return 'its folder was removed';
  if (lastUsedAt === null) return 'no audit has found it in use';
  return `unused for ${formatDuration((Date.now() - Date.parse(lastUsedAt)) / 1000)}`;
}

function summarize(leftovers: readonly Leftover[], isYes: boolean): string {
  if (leftovers.length === 0) return 'There is nothing to release.';
  const released = leftovers.filter((leftover) => leftover.released).length;
  if (isYes) return `Released ${released} of ${leftovers.length} environments.`;
  return 'Nothing was changed. pa gc --yes releases those where nobody listens.';
}
