import type { Command } from 'commander';
import { openContext } from '../context.js';

export function registerMcp(program: Command): void {
  program
    .command('mcp')
    .description('serves coding agents over stdio (MCP)')
    .addHelpText(
      'after',
      '\nExample, for Claude Code:\n  claude mcp add --scope user port-allocator -- port-allocator mcp',
    )
    .action(async (_options, command: Command) => {
      const { runOnStdio } = await import('../../client/bridge/stdio.js');
      await runOnStdio(openContext(command).settings);
    });
}
