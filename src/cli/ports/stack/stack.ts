import type { Variable } from '../../../client/env-file/texts.js';
import { findEnvironment, inEnvironment } from '../../../client/environment.js';
import { ClientFailure } from '../../../client/failure.js';
import type { Detected } from '../../../detection/detect.js';
import { fillVariables, toRequestedServices } from '../../../detection/manifest/content.js';
import { findVariableConflicts, toVariableName } from '../../../input/variable-names.js';
import type { Allocation } from '../../../schemas/allocation.js';
import type { SpaceOptions } from '../../arguments.js';
import type { Context } from '../../context.js';
import type { Output } from '../../output.js';
import { findHere } from '../here.js';
import { chooseService } from './service-name.js';

interface ServicePort {
  port: number;
  url: string;
}

/** The ports of a folder's stack on this machine. */
export interface Stack {
  project: string;
  environment: string;
  services: ReadonlyMap<string, ServicePort>;
  /** One for the port of each service, and then what the manifest adds. */
  variables: Variable[];
}

/** A stack as the process of one of its services gets it. */
export interface StackOfService extends Stack {
  service: string;
}

/** Gets the port of one service. */
export async function getPort(context: Context, given: string | undefined, space: SpaceOptions): Promise<Allocation> {
  const here = await findHere(context);
  const service = await chooseService(given, here, process.cwd());
  const known = here.manifest ? toRequestedServices(here.manifest).find((one) => one.service === service) : undefined;
  const { items } = await allocate(context, here, [known ?? { service }], space);
  tellWarnings(context.output, items);
  return items[0] as Allocation;
}

/**
 * Gets the ports of a whole stack for the process of one service, so that it finds its neighbours: all services of the
 * manifest, or without one the service and what the environment holds besides.
 */
export async function getStack(context: Context, given: string | undefined): Promise<StackOfService> {
  const here = await findHere(context);
  const service = await chooseService(given, here, process.cwd());
  const requested = listServices(here);
  const { environment, items } = await allocate(context, here, requested ?? [{ service }], {});
  const held = requested ? items : await readHeld(context, here.project, environment);
  tellWarnings(context.output, held);
  // Its own come last: two names may make the same variable, such as `web-api` and `web_api`.
  const own = (one: Allocation) => Number(one.service === service);
  const stack = makeStack(
    here,
    environment,
    held.sort((a, b) => own(a) - own(b)),
  );
  const { port } = stack.services.get(service) as ServicePort;
  stack.variables.push({ name: 'PORT', value: String(port) });
  return { ...stack, service };
}

/**
 * Reads a folder's whole stack. The services of a manifest get their ports by it. Without one nothing is allocated,
 * because nothing says what the stack is made of.
 * @throws ClientFailure usage, if there is neither a manifest nor a port, and if two services make the same variable
 */
export async function readStack(context: Context, here: Detected): Promise<Stack> {
  const requested = listServices(here);
  if (requested) {
    const { environment, items } = await allocate(context, here, requested, {});
    tellWarnings(context.output, items);
    return makeStack(here, environment, items);
  }
  const environment = await findEnvironment(context.connection, here);
  const held = await readHeld(context, here.project, environment);
  if (held.length === 0) {
    throw new ClientFailure(
      'usage',
      `Environment ${environment} of ${here.project} holds no port, and no ports.yaml names its services.`,
      'Write one with pa init, or get a port with pa port SERVICE.',
    );
  }
  tellWarnings(context.output, held);
  const stack = makeStack(here, environment, held);
  requireUsableNames(stack.services.keys());
  return stack;
}

/** Tells what deserves a thought about the ports of an answer, each sentence once. */
export function tellWarnings(output: Pick<Output, 'warn'>, items: readonly Allocation[]): void {
  for (const warning of new Set(items.flatMap(({ warnings = [] }) => warnings))) output.warn(warning);
}

/** The services of the manifest, or null if none says what the stack is made of. */
const listServices = ({ manifest }: Detected) =>
  manifest !== null && manifest.services.length > 0 ? toRequestedServices(manifest) : null;

/** Gets ports in the environment of a folder. A project that is not known yet is created. */
function allocate(
  { connection, output }: Context,
  here: Detected,
  services: { service: string }[],
  { host, protocol }: SpaceOptions,
): Promise<{ environment: string; items: Allocation[] }> {
  return inEnvironment(connection, here, async (environment, path) => {
    if (environment !== here.environment) {
      output.detail(`It is ${environment} for this folder, because another folder has ${here.environment}.`);
    }
    const { items } = await connection.send<{ items: Allocation[] }>({
      method: 'PUT',
      path: `/v1/projects/${here.project}/environments/${environment}`,
      query: { createProject: true, host, protocol },
      body: { services, ...(path !== null && { path }) },
    });
    return { environment, items };
  });
}

/** What an environment holds on this machine, by port; nothing if there is no such project. */
async function readHeld({ connection }: Context, project: string, environment: string): Promise<Allocation[]> {
  const path = `/v1/projects/${project}/environments/${environment}`;
  try {
    return (await connection.send<{ items: Allocation[] }>({ method: 'GET', path })).items;
  } catch (error) {
    if (error instanceof ClientFailure && error.problem?.code === 'project-not-found') return [];
    throw error;
  }
}

function makeStack({ project, manifest }: Detected, environment: string, held: readonly Allocation[]): Stack {
  const services = new Map<string, ServicePort>();
  for (const { service, port } of held) {
    // Of a service that holds several ports, the lowest counts, as in a look-up. It comes first.
    if (!services.has(service)) services.set(service, { port, url: `http://localhost:${port}` });
  }
  const variables = [...services].map(([name, { port }]) => ({ name: toVariableName(name), value: String(port) }));
  const serviceOf = (name: string) => services.get(name) as ServicePort;
  if (manifest !== null) variables.push(...fillVariables(manifest, { project, environment, serviceOf }));
  return { project, environment, services, variables };
}

function requireUsableNames(services: Iterable<string>): void {
  const conflicts = findVariableConflicts(services);
  if (conflicts.length === 0) return;
  const reason = `The services make no usable variables: ${conflicts.join('; ')}.`;
  throw new ClientFailure('usage', reason, 'List the services that are wanted in ports.yaml, or rename them.');
}
