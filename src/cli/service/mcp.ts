import { type Command, Option } from 'commander';

export function registerMcp(program: Command): void {
  program
    .command('mcp')
    .description('serves coding agents over stdio (MCP)')
    .addOption(
      new Option('--tools <tools>', 'which tools agents see (default: as the service says)').choices(['core', 'all']),
    )
    .addHelpText(
      'after',
      '\nExample, for Claude Code:\n  claude mcp add --scope user port-allocator -- port-allocator mcp',
    )
    .action(async ({ tools }: { tools?: string }) => {
      const { runOnStdio } = await import('../../client/bridge/stdio.js');
      await runOnStdio(process.env, tools);
    });
}
