// Refusals that depend on who the caller is, and refusals in the management of keys.
import { AppError, invalid } from '../errors.js';

export function keyMissing(): AppError {
  return new AppError('unauthorized', 'This needs a key.');
}

export function keyWrong(): AppError {
  return new AppError('unauthorized', 'The key that was sent is not valid here.', { isKeyWrong: true });
}

/** Only for a caller that has sent the whole key. Whoever has not learns nothing of it. */
export function keyExpired(expiresAt: Date): AppError {
  const message = `The key that was sent has expired (${expiresAt.toISOString()}).`;
  return new AppError('unauthorized', message, { isKeyWrong: true });
}

export function readerChangesNothing(): AppError {
  return new AppError(
    'forbidden',
    'This key has the role reader, which changes nothing. Audits and probes are changes too, because they store what ' +
      'they find. Use a key with the role project or admin.',
  );
}

/** @param covered the projects that the key covers */
export function projectNotCovered(project: string, covered: readonly string[]): AppError {
  return new AppError(
    'forbidden',
    `This key covers ${covered.join(', ')}, and not ${project}. Use a key that covers it.`,
  );
}

/** @param allowed the hosts that the key covers */
export function hostNotCovered(host: string, allowed: readonly string[]): AppError {
  return new AppError(
    'forbidden',
    `This key takes ports on ${allowed.join(', ')}, and not on ${host}. Use a key that may.`,
  );
}

/** @param allowed the hostnames that the key covers, with all below them */
export function hostnameNotCovered(hostname: string, allowed: readonly string[]): AppError {
  const may = allowed.length === 0 ? 'sets no cloudflareHostname' : `sets hostnames at and below ${allowed.join(', ')}`;
  return new AppError('forbidden', `This key ${may}, and ${hostname} is none of those. Use a key that may set it.`);
}

export function notForProjectKeys(): AppError {
  return new AppError(
    'forbidden',
    'The answer would cover all projects, and this key has the role project. Use one with the role reader or admin.',
  );
}

export function keysNotInForce(): AppError {
  return new AppError(
    'forbidden',
    'No keys are in force here, so there are none to manage. Start the service with ADMIN_API_KEY first.',
  );
}

export function adminsOnly(role: string): AppError {
  return new AppError('forbidden', `This needs a key with the role admin, and this one has the role ${role}.`);
}

/** For a caller that would have to create the project, and may not. @param suggestions names of similar projects */
export function projectNotCreated(project: string, role: string, suggestions: string[] = []): AppError {
  const question = suggestions.length > 0 ? ` Did you mean ${suggestions.join(' or ')}?` : '';
  return new AppError(
    'forbidden',
    `Project ${project} has no range.${question} A key with the role admin can give it one, and this key has the role ` +
      `${role}. Ask an administrator to create the project, or use a key with the role admin.`,
    suggestions.length > 0 ? { suggestions } : {},
  );
}

export function apiKeyNotFound(id: string): AppError {
  return new AppError('api-key-not-found', `There is no key ${id} (any more).`);
}

export function projectKeyWithoutProjects(): AppError {
  return invalid('/projects', 'A key with the role project needs one project or more.');
}

export function unlimitedKeyWithProjects(role: string): AppError {
  return invalid('/projects', `A key with the role ${role} covers all projects, and takes no list of them.`);
}

export function unlimitedKeyWithNames(role: string, field: 'hostnames' | 'hosts'): AppError {
  return invalid(`/${field}`, `Only a key with the role project can be limited to ${field}, and this is a ${role}.`);
}

export function webhooksNotForReaders(): AppError {
  return new AppError(
    'forbidden',
    'This key has the role reader, which sees no webhooks. Use a key with the role project or admin.',
  );
}

/** @param covered the projects that the key covers */
export function webhookWithoutProjects(covered: readonly string[]): AppError {
  return invalid('/projects', `It would get the events of all projects, and this key covers ${covered.join(', ')}.`);
}

export function keyExpiredAlready(): AppError {
  return invalid('/expiresAt', 'It would have expired already.');
}
