import { Command } from 'commander';
import { version } from '../package-root.js';
import { write } from './output.js';

/**
 * Adds a command to the program. Each command's file exports one such function.
 * @param args the command line, for a command to which it matters what stands after `--`
 */
export type Register = (program: Command, args: readonly string[]) => void;

/**
 * All commands, in the order in which the help shows them, by the headings of the help. The file of a command is loaded
 * only when that command is called, or when the help shows all of them.
 */
const groups: Record<string, Record<string, () => Promise<Register>>> = {
  'Ports:': {
    run: async () => (await import('./ports/run.js')).registerRun,
    port: async () => (await import('./ports/port.js')).registerPort,
    allocate: async () => (await import('./ports/allocate.js')).registerAllocate,
    url: async () => (await import('./ports/url.js')).registerUrl,
    env: async () => (await import('./ports/env.js')).registerEnv,
    ls: async () => (await import('./ports/ls.js')).registerLs,
    who: async () => (await import('./ports/who.js')).registerWho,
    release: async () => (await import('./ports/release.js')).registerRelease,
    reserve: async () => (await import('./ports/reserve.js')).registerReserve,
    gc: async () => (await import('./ports/gc.js')).registerGc,
  },
  'This machine:': {
    status: async () => (await import('./machine/status.js')).registerStatus,
    doctor: async () => (await import('./machine/doctor.js')).registerDoctor,
    import: async () => (await import('./machine/import.js')).registerImport,
    audit: async () => (await import('./machine/audit.js')).registerAudit,
    watch: async () => (await import('./watch/watch.js')).registerWatch,
    init: async () => (await import('./machine/init.js')).registerInit,
    completion: async () => (await import('./machine/completion.js')).registerCompletion,
  },
  'The service:': {
    serve: async () => (await import('./service/serve.js')).registerServe,
    mcp: async () => (await import('./service/mcp.js')).registerMcp,
    stop: async () => (await import('./service/stop.js')).registerStop,
    cloudflare: async () => (await import('./service/cloudflare.js')).registerCloudflare,
    migrate: async () => (await import('./service/migrate.js')).registerMigrate,
    seed: async () => (await import('./service/seed.js')).registerSeed,
    move: async () => (await import('./service/move.js')).registerMove,
    backup: async () => (await import('./service/backup.js')).registerBackup,
    restore: async () => (await import('./service/restore.js')).registerRestore,
  },
};

const commands = Object.assign({}, ...Object.values(groups)) as Record<string, () => Promise<Register>>;

/** Options with a value that stand before or after the name of a command. */
const VALUE_OPTIONS = ['--project', '--environment'];

/**
 * Finds the name of the command that is called, before the command line is read.
 * @returns null if it is none of the commands, as for the help
 */
export function findCommandName(args: readonly string[]): string | null {
  const name = args.find((arg, i) => !arg.startsWith('-') && !VALUE_OPTIONS.includes(args[i - 1] as string));
  return name !== undefined && Object.hasOwn(commands, name) ? name : null;
}

/** These tell of all commands. */
const NEEDING_ALL: readonly string[] = ['completion'];

/** @param args the command line. If it calls a command, only that one is loaded; or else all, as for the help */
export async function createProgram(args: readonly string[]): Promise<Command> {
  const name = findCommandName(args);
  const isLoaded = (one: string) => name === null || name === one || NEEDING_ALL.includes(name);
  const program = new Command('port-allocator')
    .description('Hands out ports that no other service gets, and brings them into the process that needs them.')
    .version(version, '-v, --version', 'prints the version')
    .helpOption('-h, --help', 'shows this help')
    .helpCommand('help [command]', 'shows the help of a command')
    .option('--project <name>', 'the project, instead of the one that is worked out from the folder')
    .option('--environment <name>', 'the environment, instead of the one that is worked out from the folder')
    .option('--json', 'answers in JSON')
    .option('--verbose', 'also tells, on stderr, what was worked out and done')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => write(process.stdout, text),
      writeErr: (text) => write(process.stderr, text),
      outputError() {}, // told by index.ts, in the form that all failures have
    })
    .exitOverride()
    .addHelpText('after', '\nExamples:\n  pa run web -- npm start\n  PORT=$(pa port web)\n  pa ls --all');
  for (const [heading, group] of Object.entries(groups)) {
    program.commandsGroup(heading);
    const loads = Object.entries(group).filter(([one]) => isLoaded(one));
    for (const register of await Promise.all(loads.map(([, load]) => load()))) register(program, args);
  }
  return program;
}
