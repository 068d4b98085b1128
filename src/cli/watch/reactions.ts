import { buffer } from 'node:stream/consumers';
import { readRefusal } from '../../client/answers.js';
import { replaceFile } from '../../client/env-file/replace-file.js';
import { ClientFailure } from '../../client/failure.js';
import type { ExportFormat } from '../../input/export-formats.js';
import type { Event } from '../../schemas/events/event.js';
import type { EventType } from '../../schemas/events/event-types.js';
import type { Context } from '../context.js';
import type { Filters } from '../ports/here.js';
import { Debounced } from './debounced.js';
import { fillCommand, hasPlaceholders } from './event.js';
import { runInShell } from './shell.js';

export interface WatchOptions {
  all?: boolean;
  on?: EventType[];
  format?: ExportFormat;
  write?: string;
  host?: string;
  exec?: string;
}

/** What is done after changes. */
export interface Reaction {
  /** @param isAgain whether the stream was lost before */
  onOpen(isAgain: boolean): void;
  /** The next event is read when it has returned, so that nothing piles up. */
  onEvent(event: Event): Promise<void> | void;
  /** Waits for what is being done. */
  end(): Promise<void>;
}

/**
 * @param signal ends what is being done
 * @param fail ends the watch
 * @returns null if changes are only told
 */
export function openReaction(
  context: Context,
  options: WatchOptions,
  filters: Filters,
  signal: AbortSignal,
  fail: (error: unknown) => void,
): Reaction | null {
  const { exec, write } = options;
  /** @returns whether it went well */
  const run = async (command: string, variables: Record<string, string> = {}) => {
    context.output.detail(`Running: ${command}`);
    const failure = await runInShell(command, variables, signal);
    if (failure !== null) context.output.warn(failure);
    return failure === null;
  };
  if (write !== undefined) {
    return keepFile(context, options, filters, signal, fail, async () => exec === undefined || run(exec));
  }
  if (exec === undefined) return null;
  return hasPlaceholders(exec) ? runForEach(context, exec, run) : runAfterBursts(() => run(exec));
}

function runForEach(
  { output }: Context,
  exec: string,
  run: (command: string, variables: Record<string, string>) => Promise<boolean>,
): Reaction {
  return {
    onOpen() {},
    async onEvent(event) {
      const filled = fillCommand(exec, event);
      if ('command' in filled) await run(filled.command, { PORT_ALLOCATOR_EVENT: JSON.stringify(event) });
      else output.warn(`Nothing was run for ${event.type} (${event.subject}), which has no {${filled.missing}}.`);
    },
    async end() {},
  };
}

/** A run that fails is not repeated, because it was for changes that are over. The next change makes the next run. */
function runAfterBursts(run: () => Promise<boolean>): Reaction {
  const work = new Debounced(async () => {
    await run();
    return true;
  });
  return { onOpen() {}, onEvent: () => work.changed(), end: () => work.end() };
}

/**
 * Keeps a file up to date. If it cannot be written at the beginning, the watch ends. Whatever fails later is told, and
 * tried again.
 * @param onChange answers whether it went well
 */
function keepFile(
  context: Context,
  options: WatchOptions,
  filters: Filters,
  signal: AbortSignal,
  fail: (error: unknown) => void,
  onChange: () => Promise<boolean>,
): Reaction {
  const { output } = context;
  let isFirst = true;
  /**
   * With which content `onChange` went well the last time. At the beginning nobody knows whether an earlier watch has got
   * that far: it may have been ended between the two, or the machine has been started since. And where two watch with the
   * same file, the other one may have written it.
   */
  let applied: Buffer | null = null;
  const work = new Debounced(async () => {
    try {
      const { content, isChanged } = await writeExport(context, options, filters, signal);
      isFirst = false;
      if (isChanged) output.note(`Wrote ${options.write}.`);
      if (signal.aborted || !(isChanged || applied === null || !content.equals(applied))) return true;
      applied = (await onChange()) ? content : null;
      return applied !== null;
    } catch (error) {
      if (signal.aborted) return true;
      if (isFirst || !(error instanceof ClientFailure) || [401, 403].includes(error.problem?.status ?? 0)) fail(error);
      else output.warn(`${options.write} is out of date: ${error.text}`);
      return false;
    }
  });
  return {
    onOpen: (isAgain) => (isAgain ? work.changed() : work.start()),
    onEvent: () => work.changed(),
    end: () => work.end(),
  };
}

/** @returns the content of the file, and whether it had another one before */
async function writeExport(
  { connection }: Context,
  { format, write, host }: WatchOptions,
  filters: Filters,
  signal: AbortSignal,
): Promise<{ content: Buffer; isChanged: boolean }> {
  const path = `/v1/exports/${format}`;
  const call = { method: 'GET', path, query: { ...filters, host }, headers: { accept: '*/*' }, signal } as const;
  const content = await connection.exchange(call, async (answer) => {
    const refusal = await readRefusal(connection.place, answer);
    if (refusal !== null) throw refusal;
    return buffer(answer);
  });
  return { content, isChanged: await replaceFile(write as string, () => content) };
}
