import type { ClientFailure } from '../../client/failure.js';
import type { ServiceState } from '../machine/service-state.js';
import { type Finding, right, warning, wrong } from './finding.js';

/** Longer than a connection takes and than clocks of machines with NTP differ. */
const CLOCK_TOLERANCE_MS = 60_000;

/** The service of the data folder. */
export function checkLocalService(state: ServiceState, dataDir: string): Finding {
  if (state.state === 'running') {
    const { mode, pid, url } = state.service;
    return right('service', `The service runs in the ${mode} (pid ${pid}${url === null ? '' : `, ${url}`}).`);
  }
  if (state.state === 'none') return right('service', 'No service runs. The next command starts one.');
  const { holder, isSilent } = state;
  const who = holder === null ? 'A process' : `The process ${holder.pid}`;
  const stop =
    holder === null ? 'Find it (`lsof` on that folder) and end it.' : `If it stays so, end it: kill ${holder.pid}.`;
  if (holder?.mode === 'command') {
    return warning(
      'service',
      `A command of an operator, such as a backup, has ${dataDir} (pid ${holder.pid}).`,
      'Wait until it has ended.',
    );
  }
  if (isSilent)
    return wrong('service', `${who} has ${dataDir} and does not answer.`, `${stop} Its log is ${dataDir}/service.log.`);
  if (holder !== null && holder.path === undefined) {
    return wrong(
      'service',
      `The process ${holder.pid} has ${dataDir}, and is starting or ending.`,
      `Try again in a moment. ${stop}`,
    );
  }
  return wrong(
    'service',
    `${who} has ${dataDir}, and its socket cannot be reached from here. It may run in a container or on another machine.`,
    `${stop} Or set PORT_ALLOCATOR_URL to where that service listens.`,
  );
}

/** The service at PORT_ALLOCATOR_URL. @param failure of a call that needs a key; null if it was answered */
export function checkRemoteService(url: string, failure: ClientFailure | null): Finding {
  if (failure === null) return right('service', `The service at ${url} answers.`);
  const { status } = failure.problem ?? {};
  if (status !== 401 && status !== 403)
    return wrong('service', failure.message, failure.nextStep || 'Look at its log.');
  return wrong(
    'service',
    `The service at ${url} refuses PORT_ALLOCATOR_API_KEY: ${failure.message}`,
    failure.nextStep || 'Set it to a key that the service knows.',
  );
}

/** @param service of the service; null if none answers */
export function checkVersion(own: string, service: string | null): Finding[] {
  if (service === null) return [];
  if (own === service) return [right('version', `The command and the service have the same version, ${own}.`)];
  return [
    warning(
      'version',
      `The command has version ${own}, and the service ${service}.`,
      'Install the same version of both, and start the service anew (`port-allocator stop` ends one in the background).',
    ),
  ];
}

/**
 * Expiries and cooldowns count by the clock of the service, and people read them by their own.
 * @param date the header of an answer
 */
export function checkClock(date: string | undefined, now: number): Finding[] {
  const time = Date.parse(date ?? '');
  if (Number.isNaN(time)) return [];
  const seconds = Math.round((now - time) / 1000);
  if (Math.abs(now - time) <= CLOCK_TOLERANCE_MS)
    return [right('clock', 'The clocks of this machine and of the service agree.')];
  return [
    wrong(
      'clock',
      `The clock of this machine is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} that of the service.`,
      'Set the clock that is wrong, and let it be kept right (NTP; `timedatectl` shows it).',
    ),
  ];
}
