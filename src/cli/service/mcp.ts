import type { Command } from 'commander';

export function registerMcp(program: Command): void {
  program
    .command('mcp')
    .description('serves coding agents over stdio (MCP)')
    .addHelpText(
      'after',
      '\nExample, for Claude Code:\n  claude mcp add --scope user port-allocator -- port-allocator mcp',
    )
    .action(async () => {
      const { runOnStdio } = await import('../../client/bridge/stdio.js');
      await runOnStdio(process.env);
    });
}
