import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { Connection } from '../../client/connection.js';
import { ClientFailure } from '../../client/failure.js';
import { decodeText } from '../../input/decode-text.js';
import { countOutcomes } from '../../input/import-counts.js';
import { readListeners, toSsOutput } from '../../machine/listeners.js';
import type { Import, ImportedPort } from '../../schemas/import.js';
import type { ProjectSummary } from '../../schemas/range.js';
import { confirm } from '../confirm.js';
import { openContext } from '../context.js';
import type { Output } from '../output.js';
import { formatTable } from '../table.js';

/** Lines that a report for people lists as passed over. */
const SHOWN_PASSED_OVER = 10;

interface ImportOptions {
  file?: string;
  yes?: boolean;
}

export function registerImport(program: Command): void {
  program
    .command('import')
    .description('adopts ports on which something listens already, after a report')
    .option('--file <file>', 'an output of "ss -ltnp" or "lsof -i -P -n" instead of this machine; - for stdin')
    .option('--yes', 'adopts without asking')
    .addHelpText(
      'after',
      '\nEach port goes to the project whose range covers it; with --project only to that one. Without --yes, and\n' +
        'without a terminal to ask on, nothing is changed.\n\n' +
        'Examples:\n  pa import\n  pa import --project shop --yes\n  ssh build-1 ss -ltnp | pa import --file -',
    )
    .action(async ({ file, yes = false }: ImportOptions, command: Command) => {
      const { connection, output, options } = openContext(command);
      if (options.environment !== undefined) {
        throw new ClientFailure('usage', '--environment: an import knows of no environments.', 'Leave the option out.');
      }
      const listening = await readInput(file);
      const report = await limitTo(options.project ?? null, await plan(connection, listening), connection);
      const adoptable = report.items.filter(({ outcome }) => outcome === 'adopted');
      const isAsked = yes || (!output.isJson && process.stdin.isTTY === true && file !== '-');
      if (adoptable.length === 0 || !isAsked) {
        output.answer(formatReport(report), report);
        if (adoptable.length > 0)
          output.note(`Nothing was changed. To adopt ${count(adoptable)}, repeat it with --yes.`);
        return;
      }
      if (!yes) {
        output.note(formatReport(report));
        await confirm(`${count(adoptable)} can be adopted.`, 'Adopt them?', false);
      }
      await adopt(connection, report, output);
    });
}

async function readInput(file: string | undefined): Promise<string> {
  if (file !== undefined) return file === '-' ? decodeText(await buffer(process.stdin)) : readText(file);
  const listeners = await readListeners();
  if (listeners === null) {
    const howElse =
      process.platform === 'win32'
        ? 'Windows has no list that can be read here'
        : 'there is neither /proc, ss nor lsof';
    throw new ClientFailure(
      'refused',
      `What listens on this machine cannot be read: ${howElse}.`,
      'Give the output of "ss -ltnp" or "lsof -i -P -n" with --file.',
    );
  }
  if (listeners.length === 0) throw new ClientFailure('refused', 'Nothing listens on this machine.', '');
  return toSsOutput(listeners);
}

async function readText(file: string): Promise<string> {
  try {
    return decodeText(await readFile(file));
  } catch (error) {
    throw new ClientFailure('usage', `--file: ${(error as Error).message}.`, 'Name a file that can be read.');
  }
}

const plan = (connection: Connection, listening: string): Promise<Import> =>
  connection.send<Import>({ method: 'POST', path: '/v1/imports', query: { dryRun: true }, body: listening });

/** Passes over what is not in a range of the project. @param project null for all */
async function limitTo(project: string | null, report: Import, connection: Connection): Promise<Import> {
  if (project === null) return report;
  const path = `/v1/projects/${encodeURIComponent(project)}/summary`;
  const { ranges } = await connection.send<ProjectSummary>({ method: 'GET', path });
  const isCovered = (port: number) => ranges.some(({ startPort, endPort }) => startPort <= port && port <= endPort);
  const items = report.items.filter(({ port }) => port === null || isCovered(port));
  const elsewhere = report.items.filter(({ port }) => port !== null && !isCovered(port));
  const passedOver = [
    ...report.passedOver,
    ...elsewhere.map(({ line, port }) => ({
      line,
      reason: `Line ${line} is of port ${port}, in no range of ${project}.`,
    })),
  ].sort((a, b) => a.line - b.line);
  return { ...report, counts: countOutcomes(items, report.given), items, passedOver };
}

/** Adopts just what the report says, under the same names, whatever listens by now. */
async function adopt(connection: Connection, report: Import, output: Output): Promise<void> {
  const planned = report.items.flatMap(({ outcome, allocation }) =>
    outcome === 'adopted' && allocation !== null ? [allocation] : [],
  );
  const items = planned.map(({ port, host, protocol, service, environment }) => {
    return { port, host, protocol, service, environment };
  });
  const done = await connection.send<Import>({ method: 'POST', path: '/v1/imports', body: { items } });
  const adopted = done.items.filter(({ outcome }) => outcome === 'adopted');
  // What was not adopted in the plan is told too, because a conflict is the reason to look at an import at all.
  const byPlace = new Map(done.items.map((item) => [`${item.port} ${item.host}`, item]));
  const merged = report.items.map((item): ImportedPort => {
    const became = item.outcome === 'adopted' ? byPlace.get(`${item.port} ${item.host}`) : undefined;
    if (became === undefined) return item;
    // What the report says of the socket is not known of the numbers that were sent.
    const detail = became.outcome === 'adopted' ? item.detail : became.detail;
    return { ...became, line: item.line, detail };
  });
  const result: Import = { ...report, counts: countOutcomes(merged, report.given), dryRun: false, items: merged };
  output.answer(formatReport(result), result);
  output.note(`Adopted ${count(adopted)}.`);
}

function formatReport(report: Import): string {
  const passedOver = report.passedOver.slice(0, SHOWN_PASSED_OVER).map(({ reason }) => reason);
  const more = report.counts.passedOver - passedOver.length;
  if (more > 0) passedOver.push(`${more} more lines are passed over.`);
  return [formatItems(report), passedOver.join('\n'), formatCounts(report)].filter((part) => part !== '').join('\n\n');
}

/** Such as `5 lines: 2 can be adopted, 1 held, 2 passed over.` */
function formatCounts({ given, counts, dryRun }: Import): string {
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${count} ${nameOutcome(outcome, dryRun)}`);
  return `${given} ${given === 1 ? 'line' : 'lines'}: ${parts.join(', ')}.`;
}

function nameOutcome(outcome: string, dryRun: boolean): string {
  if (outcome === 'passedOver') return 'passed over';
  return outcome === 'adopted' && dryRun ? 'can be adopted' : outcome;
}

function formatItems({ items, dryRun }: Import): string {
  if (items.length === 0) return 'There is no port to import.';
  const rows = items.map(({ port, host, outcome, detail, allocation }: ImportedPort) => [
    port,
    host,
    allocation?.service ?? null,
    allocation?.project ?? null,
    nameOutcome(outcome, dryRun),
    detail,
  ]);
  return formatTable(['PORT', 'HOST', 'SERVICE', 'PROJECT', 'OUTCOME', 'DETAIL'], rows);
}

const count = ({ length }: readonly unknown[]) => `${length} ${length === 1 ? 'port' : 'ports'}`;
