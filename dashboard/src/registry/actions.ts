import { doForEach, type Outcome } from '../for-each.js';
import { plural } from '../format.js';
import { tell } from '../notices.js';
import {
  type Allocation,
  answerOf,
  api,
  describeFailure,
  type HealthCheck,
  type Held,
  makeIdempotencyKey,
} from './api.js';
import {
  describeEnvironment,
  type EnvironmentName,
  findEnvironment,
  type HeldEnvironment,
  spacesOf,
} from './environments.js';
import { noteSeen } from './store.js';

/** Probes a port that is held. If it is in use as before, no event tells that it was seen, and so it is noted here. */
export async function probe(id: string): Promise<HealthCheck> {
  const check = await answerOf(api.POST('/v1/allocations/{id}/health-checks', { params: { path: { id } } }));
  if (check.outcome === 'open') noteSeen([{ id, lastUsedAt: check.checkedAt }]);
  return check;
}

export const nameOfPort = ({ port, project, service }: Pick<Held, 'port' | 'project' | 'service'>) =>
  `${port} (${project}/${service})`;

/** Releases ports, and offers to take them back. @returns why some could not be released */
export async function releasePorts(held: readonly Held[]): Promise<Outcome<Allocation>['failed']> {
  const { done, failed } = await doForEach(held, nameOfPort, ({ id }) =>
    answerOf(api.DELETE('/v1/allocations/{id}', { params: { path: { id } } })),
  );
  tellOfRelease(done);
  return failed;
}

/** Releases all that an environment holds, on every host and protocol, and offers to take it back. */
export async function releaseEnvironment(named: EnvironmentName): Promise<void> {
  const { project, environment } = named;
  // When its last port is released, the registry forgets its folder and when it expires.
  const before = await findEnvironment(named);
  const { done, failed } = await doForEach(
    spacesOf(named),
    ({ host }) => host,
    ({ host, protocol }) => {
      const params = { path: { project, environment }, query: { host, protocol } };
      return answerOf(api.DELETE('/v1/projects/{project}/environments/{environment}', { params }));
    },
  );
  tellOfRelease(
    done.flatMap(({ items }) => items),
    before,
  );
  const [first] = failed;
  if (first !== undefined) throw first.error;
}

/** @param environment what else is to be taken back, where these were all that it held */
function tellOfRelease(released: Allocation[], environment: HeldEnvironment | null = null): void {
  if (released.length === 0) return;
  const [first] = released as [Allocation];
  const what =
    released.length === 1 ? `Port ${first.port} was released.` : `${plural(released.length, 'port')} were released.`;
  tell(what, () => takeBack(released, environment));
}

/**
 * Takes released ports again by their numbers, each with all that was known of it. One that another service has been
 * given since is refused; where the range has a cooldown, that is only one that has asked for the number.
 */
async function takeBack(released: Allocation[], environment: HeldEnvironment | null): Promise<void> {
  const { done, failed } = await doForEach(released, nameOfPort, (allocation) => {
    const { project, service, environment, host, protocol, port } = allocation;
    const { serviceType, description, cloudflareHostname, metadata } = allocation;
    const details = { serviceType, description, cloudflareHostname, metadata };
    return answerOf(
      api.POST('/v1/projects/{project}/allocations', {
        params: { path: { project }, header: { 'idempotency-key': makeIdempotencyKey() } },
        body: { service, environment, host, protocol, port, ...details },
      }),
    );
  });
  const held = done.flatMap((answer) => ('items' in answer ? answer.items : [answer]));
  await describeAgain(environment, held).catch((error) => failed.push({ what: 'its folder and expiry', error }));
  tell(describeTakenBack(released, done.length, failed));
}

function describeTakenBack(released: Allocation[], held: number, failed: Outcome<unknown>['failed']): string {
  const [failure] = failed;
  if (released.length > 1) {
    const some = `${plural(held, 'port')} of ${released.length} are held again.`;
    const names = failed.map(({ what }) => what).join(', ');
    return failure === undefined ? some : `${some} Not any more to be had: ${names}.`;
  }
  const it = `Port ${released[0]?.port}`;
  if (failure === undefined) return `${it} is held again.`;
  if (held > 0) return `${it} is held again, but without ${failure.what}.`;
  return `${it} was not taken back. ${describeFailure(failure.error)}`;
}

/** Sets the folder of an environment and when it expires, which it has only while it holds a port. */
async function describeAgain(before: HeldEnvironment | null, held: readonly Allocation[]): Promise<void> {
  if (before === null) return;
  const { path, expiresAfterSeconds, onExpiry } = before;
  const [first] = held;
  if (first === undefined || (path === null && expiresAfterSeconds === null)) return;
  await describeEnvironment(first, {
    ...(path !== null && { path }),
    ...(expiresAfterSeconds !== null && { expiresAfterSeconds }),
    ...(expiresAfterSeconds !== null && onExpiry !== null && { onExpiry }),
  });
}
