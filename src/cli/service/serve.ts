import type { Command } from 'commander';

export function registerServe(program: Command): void {
  program
    .command('serve')
    .description('runs the service in the foreground, on HTTP and for the clients of this machine')
    .addHelpText(
      'after',
      '\nIt is configured by the variables of the service (HOST, PORT, DATABASE_URL, DATA_DIR, …) and takes the place of\n' +
        'one in the background.\n\nExamples:\n  port-allocator serve\n  PORT=8081 port-allocator serve',
    )
    .action(async () => {
      process.argv.splice(2); // main.js has options of its own
      await import('../../main.js');
    });
}
