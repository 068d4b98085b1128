import { computed } from '@preact/signals';
import type { components, operations } from '../../generated/contract.js';
import { answerOf, api, type Held, listAll, MAX_PAGE } from './api.js';
import type { Space } from './port-space.js';
import { held } from './store.js';

/** An environment that holds a port, on whatever host. */
export type HeldEnvironment = components['schemas']['HeldEnvironment'];
export type EnvironmentName = Pick<HeldEnvironment, 'project' | 'environment'>;

/** Which environments are wanted. */
export interface EnvironmentQuery {
  project?: string;
  host?: string;
  unusedForSeconds?: number;
}

/** Reads the environments that hold something. */
export function listEnvironments(wanted: EnvironmentQuery): Promise<HeldEnvironment[]> {
  const query = { ...wanted, limit: MAX_PAGE };
  return listAll((page) => answerOf(api.GET('/v1/environments', { params: { query: { ...query, ...page } } })));
}

export async function findEnvironment({ project, environment }: EnvironmentName): Promise<HeldEnvironment | null> {
  const all = await listEnvironments({ project });
  return all.find((one) => one.environment === environment) ?? null;
}

type EnvironmentRequest = operations['allocateEnvironment']['requestBody']['content']['application/json'];
type EnvironmentDetails = Pick<EnvironmentRequest, 'path' | 'expiresAfterSeconds' | 'onExpiry'>;

/**
 * Says of an environment in which folder it is, and when it expires.
 *
 * This is said together with services, of which there has to be one. It is one that holds a port, so that nothing is
 * allocated.
 * @throws Refusal
 */
export async function describeEnvironment(
  one: Pick<Held, keyof EnvironmentName | keyof Space | 'service'>,
  details: EnvironmentDetails,
): Promise<void> {
  const { project, environment, service, host, protocol } = one;
  await answerOf(
    api.PUT('/v1/projects/{project}/environments/{environment}', {
      params: { path: { project, environment }, query: { host, protocol } },
      body: { services: [{ service }], ...details },
    }),
  );
}

/** `odin/feature-x`, as it stands in the address bar. */
export const nameEnvironment = ({ project, environment }: EnvironmentName): string => `${project}/${environment}`;

/** What an environment holds on all hosts, by port. */
export const portsOf = (named: EnvironmentName): readonly Held[] =>
  heldByEnvironment.value.get(nameEnvironment(named)) ?? [];

/** In which port spaces an environment holds ports, and how many. */
export function spacesOf(named: EnvironmentName): (Space & { ports: number })[] {
  const found = new Map<string, Space & { ports: number }>();
  for (const { host, protocol } of portsOf(named)) {
    const name = `${host} ${protocol}`;
    const space = found.get(name) ?? { host, protocol, ports: 0 };
    space.ports++;
    found.set(name, space);
  }
  return [...found.values()];
}

const heldByEnvironment = computed<ReadonlyMap<string, Held[]>>(() => {
  const found = new Map<string, Held[]>();
  for (const one of held.value.values()) {
    const name = nameEnvironment(one);
    const own = found.get(name);
    if (own === undefined) found.set(name, [one]);
    else own.push(one);
  }
  for (const own of found.values()) own.sort((a, b) => a.port - b.port);
  return found;
});
