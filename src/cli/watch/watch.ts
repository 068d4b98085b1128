import { type Command, Option } from 'commander';
import { ClientFailure } from '../../client/failure.js';
import { followEvents } from '../../client/follow-events.js';
import { exportFormats } from '../../input/export-formats.js';
import type { Event } from '../../schemas/events/event.js';
import { eventTypes } from '../../schemas/events/event-types.js';
import { type Context, openContext } from '../context.js';
import { endAs } from '../ports/child.js';
import { chooseFilters, type Filters } from '../ports/here.js';
import { formatEvent, hasPlaceholders, valuesOf } from './event.js';
import { addEventTypes } from './event-types.js';
import { openReaction, type WatchOptions } from './reactions.js';

const EXPLANATION = `
--exec runs the command in the shell after a burst of changes; never twice at the same time. With --write it runs once at
the beginning, when the file is there, then only when the file has changed, and again after a pause if it has failed. A
command with {service}, {project}, {environment}, {port}, {type} or {id} runs once for each event, one after another,
with the event as JSON in PORT_ALLOCATOR_EVENT.

Examples:
  pa watch --all
  pa watch --json --on allocation,service.down
  pa watch --all --format prometheus --write targets.json
  pa watch --format dotenv --write ports.env --exec 'systemctl reload nginx'
  pa watch --on service.down --exec 'systemctl --user restart {service}'`;

export function registerWatch(program: Command): void {
  program
    .command('watch')
    .description('tells each change as it comes, keeps a file up to date, or runs a command after changes')
    .option('--all', 'of every project and environment')
    .addOption(
      new Option('--on <types>', 'only these events, or all of a kind such as service; may be repeated')
        .choices(eventTypes)
        .argParser(addEventTypes),
    )
    .addOption(new Option('--format <format>', 'the export that --write keeps up to date').choices(exportFormats))
    .option('--write <file>', 'replaces the file as a whole, when the export differs from it')
    .option('--host <host>', 'the export has the ports of this host alone')
    .option('--exec <command>', 'runs a command after changes')
    .addHelpText('after', EXPLANATION)
    .action(async (options: WatchOptions, command: Command) => {
      requireUsable(options);
      const context = openContext(command);
      const stopped = await untilStopped(async (signal, stop) => {
        await watch(context, options, await chooseFilters(context, options.all === true), signal, stop);
      });
      if (stopped !== null) endAs({ signal: stopped });
    });
}

function requireUsable({ format, write, host, exec }: WatchOptions): void {
  const fail = (wrong: string, nextStep: string) => new ClientFailure('usage', wrong, nextStep);
  if (write?.trim() === '') throw fail('--write names no file.', 'Name the file that is to be kept up to date.');
  if (exec?.trim() === '') throw fail('--exec has no command.', 'Add the command that is to run, or leave --exec out.');
  if (write !== undefined && format === undefined) {
    throw fail('--write needs a format.', `Add --format with one of ${exportFormats.join(', ')}.`);
  }
  if (write === undefined && (format !== undefined || host !== undefined)) {
    const given = format === undefined ? '--host' : '--format';
    throw fail(`${given} is about the file of --write.`, `Add --write FILE, or leave ${given} out.`);
  }
  if (write !== undefined && exec !== undefined && hasPlaceholders(exec)) {
    throw fail(
      'With --write, --exec runs after the file has changed, and not for one event that could fill a placeholder.',
      'Leave the placeholders out, or watch twice: once with --write, and once with --exec.',
    );
  }
}

/** @param stop ends the watch without an error */
async function watch(
  context: Context,
  options: WatchOptions,
  filters: Filters,
  stopping: AbortSignal,
  stop: () => void,
): Promise<void> {
  const { connection, output } = context;
  const failed = new AbortController();
  const signal = AbortSignal.any([stopping, failed.signal]);
  const reaction = openReaction(context, options, filters, signal, (error) => failed.abort(error));
  if (reaction === null || output.isJson) endOnClosedPipe(stop);
  const say = output.isJson ? output.detail : output.note;
  const events = followEvents(connection, {
    query: { project: filters.project, type: options.on?.join(',') },
    signal,
    onOpen(isAgain) {
      if (isAgain) output.warn('Connected again.');
      else say(`Watching ${describe(filters)}.`);
      reaction?.onOpen(isAgain);
    },
    onLost: (reason) => output.warn(`The connection to the service is lost: ${reason}. Trying again…`),
    onGap(reason) {
      output.warn(`Changes are missing: ${reason}`);
    },
  });
  try {
    for await (const event of events) {
      if (!isOf(filters, event)) continue;
      if (reaction === null || output.isJson) output.line(formatEvent(event), event);
      await reaction?.onEvent(event);
    }
  } finally {
    failed.abort(failed.signal.reason ?? null); // ends a command that still runs
    await reaction?.end();
  }
  if (failed.signal.reason instanceof Error) throw failed.signal.reason;
}

/** An event that is of no environment concerns all of its project. */
function isOf({ environment }: Filters, event: Event): boolean {
  return environment === undefined || [undefined, environment].includes(valuesOf(event).environment);
}

const describe = ({ project, environment }: Filters) =>
  project === undefined
    ? 'every project'
    : `${project}${environment === undefined ? '' : ` (environment ${environment})`}`;

/** What reads the events has ended, as `head` does. */
function endOnClosedPipe(stop: () => void): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') stop();
  });
}

/** What sends a signal twice, such as npm on Ctrl-C or a shell whose terminal was closed, does it within this time. */
const SAME_MS = 200;

/**
 * Works until it ends, or until a signal asks it to. A second signal ends the process at once.
 * @returns the signal, or null
 */
async function untilStopped(
  work: (signal: AbortSignal, stop: () => void) => Promise<void>,
): Promise<NodeJS.Signals | null> {
  const controller = new AbortController();
  let received: { signal: NodeJS.Signals; at: number } | null = null;
  const receive = (signal: NodeJS.Signals) => {
    if (received !== null && performance.now() - received.at > SAME_MS) endNow(signal);
    received ??= { signal, at: performance.now() };
    controller.abort();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const endNow = (signal: NodeJS.Signals) => {
    for (const signal of signals) process.removeListener(signal, receive);
    process.once('exit', () => endAs({ signal })); // behind the listener that kills a command
    process.exit();
  };
  for (const signal of signals) process.on(signal, receive);
  try {
    await work(controller.signal, () => controller.abort());
  } catch (error) {
    if (!controller.signal.aborted) throw error;
  } finally {
    for (const signal of signals) process.removeListener(signal, receive);
  }
  return (received as { signal: NodeJS.Signals } | null)?.signal ?? null;
}
