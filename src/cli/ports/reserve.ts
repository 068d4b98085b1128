import type { Command } from 'commander';
import type { Connection } from '../../client/connection.js';
import { ClientFailure } from '../../client/failure.js';
import type { Reservation } from '../../schemas/reservation.js';
import {
  hostOption,
  protocolOption,
  readDuration,
  readPort,
  requireServiceName,
  type SpaceOptions,
} from '../arguments.js';
import { openContext } from '../context.js';
import { findHere } from './here.js';

const MAX_TTL_SECONDS = 2_592_000;
const DEFAULT_TTL = '15m';

interface Options extends SpaceOptions {
  ttl: number;
  port?: number;
  reason?: string;
  by?: string;
}

export function registerReserve(program: Command): void {
  const readTtl = readDuration('--ttl');
  program
    .command('reserve')
    .description('holds a port for a while, without allocating it; prints the number')
    .argument('[service]', 'what it is held for')
    .option('--ttl <duration>', `for how long, at most 30d (default: ${DEFAULT_TTL})`, readTtl, readTtl(DEFAULT_TTL))
    .option('--port <number>', 'one particular port, instead of the lowest free one', readPort)
    .option('--reason <text>', 'what for')
    .option('--by <name>', 'who holds it')
    .addOption(hostOption())
    .addOption(protocolOption())
    .addHelpText(
      'after',
      '\nExamples:\n  pa reserve search --ttl 2h --reason "announced to the firewall team"\n  pa reserve',
    )
    .action(async (given: string | undefined, options: Options, command: Command) => {
      const service = given === undefined ? undefined : await requireServiceName(given);
      requireTtl(options.ttl);
      const context = openContext(command);
      const { project } = await findHere(context);
      const { ttl: ttlSeconds, by: reservedBy, port, reason, host, protocol } = options;
      const body = { ttlSeconds, port, service, host, protocol, reservedBy, reason };
      const reservation = await reserve(context.connection, project, body);
      context.output.answer(String(reservation.port), reservation);
      context.output.note(`Reserved for ${project} until ${reservation.expiresAt}.`);
    });
}

function requireTtl(seconds: number): void {
  if (seconds >= 1 && seconds <= MAX_TTL_SECONDS) return;
  throw new ClientFailure('usage', 'A reservation holds for 1 second to 30 days.', 'Set --ttl to such a time.');
}

async function reserve(connection: Connection, project: string, body: object): Promise<Reservation> {
  const path = `/v1/projects/${project}`;
  const send = () => connection.send<Reservation>({ method: 'POST', path: `${path}/reservations`, body });
  try {
    return await send();
  } catch (error) {
    if (!(error instanceof ClientFailure) || error.problem?.code !== 'project-not-found') throw error;
    // As for every command that gets a port, a project that is not known is created.
    await connection.send({ method: 'PUT', path, body: {} });
    return send();
  }
}
