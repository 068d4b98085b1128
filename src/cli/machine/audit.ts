import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { ClientFailure, type Problem } from '../../client/failure.js';
import type { Audit, AuditScope } from '../../schemas/audit.js';
import { openContext } from '../context.js';
import { findHere } from '../ports/here.js';
import { openProgress, type Progress } from '../progress.js';
import { formatTable } from '../table.js';

interface AuditOptions {
  all?: boolean;
  unallocated?: boolean;
  failOnConflict?: boolean;
}

const CONFLICTS_FOUND = 1;
/** As shells say it of a process that SIGINT has ended. */
const INTERRUPTED = 130;

export function registerAudit(program: Command): void {
  program
    .command('audit')
    .description('compares what is held with what listens, and tells each difference with its remedy')
    .option('--all', 'every project')
    .option('--unallocated', 'also the ports of the ranges that nobody holds')
    .option('--fail-on-conflict', 'ends with 1 if there is a difference')
    .addHelpText(
      'after',
      '\nExamples:\n  pa audit\n  pa audit --all --unallocated\n  pa audit --json --fail-on-conflict',
    )
    .action(async (options: AuditOptions, command: Command) => {
      const context = openContext(command);
      const { connection, output } = context;
      const project = options.all ? null : (await findHere(context)).project;
      const body: AuditScope = { ...(project !== null && { project }), unallocated: options.unallocated === true };
      const interruption = interruptible();
      const progress = openProgress('Audit');
      try {
        const answer = await connection.open({
          method: 'POST',
          path: '/v1/audits',
          body,
          headers: { accept: 'text/event-stream' },
          signal: interruption.signal,
        });
        const audit = await readAudit(answer, progress);
        progress.clear();
        output.answer(formatAudit(audit, project), audit);
        if (options.failOnConflict && audit.conflicts.length > 0) process.exitCode = CONFLICTS_FOUND;
      } catch (error) {
        progress.clear();
        if (!interruption.signal.aborted) throw error;
        output.warn('The audit was stopped.');
        process.exitCode = INTERRUPTED;
      } finally {
        interruption.end();
      }
    });
}

/** The first Ctrl-C stops the audit, and a second one ends the process at once, as usual. */
function interruptible(): { signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  process.once('SIGINT', abort);
  return { signal: controller.signal, end: () => void process.removeListener('SIGINT', abort) };
}

/** @throws ClientFailure refused, if the audit breaks off */
async function readAudit(answer: IncomingMessage, progress: Progress): Promise<Audit> {
  const events = Readable.toWeb(answer).pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  for await (const { event, data } of events) {
    const value = JSON.parse(data);
    if (event === 'progress') progress.show(value.done, value.total);
    if (event === 'result') return value;
    if (event === 'problem') {
      const problem = value as Problem;
      throw new ClientFailure('refused', problem.detail, 'Start the audit again.', problem);
    }
  }
  throw new ClientFailure('unreachable', 'The service ended before the audit did.', 'Start the audit again.');
}

function formatAudit({ conflicts, allocated, inUse, checkedPorts }: Audit, project: string | null): string {
  const scope = project ?? 'all projects';
  const summary = `${scope}: held ports: ${allocated}, in use: ${inUse}, checked: ${checkedPorts}.`;
  if (conflicts.length === 0) return `${summary}\nRegistry and reality agree.`;
  const rows = conflicts.map(({ port, host, kind, expected, actual, detail }) => [
    port,
    host,
    kind,
    expected,
    actual,
    detail,
  ]);
  return `${formatTable(['PORT', 'HOST', 'CONFLICT', 'EXPECTED', 'FOUND', 'WHAT TO DO'], rows)}\n${summary}`;
}
