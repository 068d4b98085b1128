import { Argument, type Command } from 'commander';
import { ClientFailure } from '../../client/failure.js';
import type { CloudflareChange, CloudflarePlan, CloudflareStatus } from '../../schemas/events/cloudflare.js';
import { openContext } from '../context.js';
import type { Output } from '../output.js';

/** There is something to change. Other programs that plan end with the same code. */
const CHANGES_PLANNED = 2;

interface Options {
  exitCode?: boolean;
}

export function registerCloudflare(program: Command): void {
  program
    .command('cloudflare')
    .description('plans and applies the changes that bring the Cloudflare tunnel in step with the registry')
    .addArgument(new Argument('<action>', 'what to do').choices(['plan', 'apply', 'status']))
    .option('--exit-code', 'plan ends with 2 if there is something to change')
    .addHelpText(
      'after',
      '\nA plan has a line for each change: + is made, - is deleted, ~ is changed. What others have made is never touched,\n' +
        'and told with !.\n\nExamples:\n  pa cloudflare plan\n  pa cloudflare apply\n  pa cloudflare status --json',
    )
    .action(async (action: 'plan' | 'apply' | 'status', options: Options, command: Command) => {
      if (options.exitCode && action !== 'plan') {
        throw new ClientFailure('usage', `--exit-code is about plan, and not ${action}.`, 'Leave --exit-code out.');
      }
      const { connection, output } = openContext(command);
      if (action === 'status') {
        const status = await connection.send<CloudflareStatus>({ method: 'GET', path: '/v1/cloudflare' });
        return output.answer(formatStatus(status), status);
      }
      const isPlan = action === 'plan';
      const plan = await connection.send<CloudflarePlan>(
        isPlan ? { method: 'GET', path: '/v1/cloudflare/plan' } : { method: 'POST', path: '/v1/cloudflare/apply' },
      );
      output.answer(formatPlan(plan, output, isPlan ? 'Planned' : 'Made'), plan);
      if (isPlan && options.exitCode && plan.changes.length > 0) process.exitCode = CHANGES_PLANNED;
    });
}

const SIGNS = { create: ['+', 'green'], delete: ['-', 'red'], update: ['~', 'yellow'], move: ['~', 'yellow'] } as const;

function formatPlan({ changes, conflicts }: CloudflarePlan, output: Output, made: string): string {
  const lines = changes.map((change) => {
    const [sign, color] = SIGNS[change.action];
    return output.style(color, `${sign} ${change.kind.padEnd(6)}  ${change.hostname}  ${describe(change)}`);
  });
  const warnings = conflicts.map(({ kind, hostname, detail }) => `! ${kind}  ${hostname || 'tunnel'}  ${detail}`);
  const summary =
    changes.length === 0
      ? 'The tunnel and its DNS records are in step with the registry.'
      : `${made}: ${changes.length} change(s).`;
  const left = conflicts.length === 0 ? '' : ` Not touched: ${conflicts.length}.`;
  return [...lines, ...warnings, summary + left].join('\n');
}

function describe({ action, before, after }: CloudflareChange): string {
  if (action === 'move') return `${after} (to another place in the order)`;
  return action === 'update' ? `${before} -> ${after}` : String(after ?? before);
}

function formatStatus(status: CloudflareStatus): string {
  if (!status.configured) {
    return (
      'No Cloudflare tunnel is configured. Start the service with CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID,\n' +
      'CLOUDFLARE_TUNNEL_ID and CLOUDFLARE_ZONES (docs/cloudflare.md).'
    );
  }
  const { tunnelId, zones, nextStep, lastSuccessAt, lastError, lastErrorAt, nextAttemptAt } = status;
  const { pendingChanges, conflicts } = status;
  return [
    `tunnel        ${tunnelId}`,
    `zones         ${zones.join(', ')}`,
    `last in step  ${lastSuccessAt ?? 'never yet'}`,
    ...(lastError === null ? [] : [`last error    ${lastError} (${lastErrorAt})`]),
    ...(nextAttemptAt === null ? [] : [`next attempt  ${nextAttemptAt}`]),
    `pending       ${pendingChanges ?? 'unknown'}`,
    `conflicts     ${conflicts ?? 'unknown'}`,
    ...(nextStep === null ? [] : [nextStep]),
  ].join('\n');
}
