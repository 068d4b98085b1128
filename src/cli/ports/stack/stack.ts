import type { Detected } from '../../../client/detect.js';
import type { Variable } from '../../../client/env-file/texts.js';
import { inEnvironment } from '../../../client/environment.js';
import { fillVariables, toRequestedServices } from '../../../client/manifest/content.js';
import { readAll } from '../../../client/pages.js';
import { toVariableName } from '../../../input/variable-names.js';
import type { Allocation } from '../../../schemas/allocation.js';
import type { SpaceOptions } from '../../arguments.js';
import type { Context } from '../../context.js';
import { findHere } from '../here.js';
import { chooseService } from './service-name.js';

/** The ports of a folder's stack, for the process of one of its services. */
export interface Stack {
  project: string;
  environment: string;
  service: string;
  /** By service: its port, and its URL. */
  services: ReadonlyMap<string, { port: number; url: string }>;
  /** What the process gets. */
  variables: Variable[];
}

/** Gets the port of one service. */
export async function getPort(context: Context, given: string | undefined, space: SpaceOptions): Promise<Allocation> {
  const here = await findHere(context);
  const service = await chooseService(given, here, process.cwd());
  const known = here.manifest ? toRequestedServices(here.manifest).find((one) => one.service === service) : undefined;
  const { items } = await allocate(context, here, [known ?? { service }], space);
  const allocation = items[0] as Allocation;
  for (const warning of allocation.warnings ?? []) context.output.warn(warning);
  return allocation;
}

/**
 * Gets the ports of a whole stack, so that the process finds its neighbours: all services of the manifest, or without one
 * the service and what the environment holds besides.
 */
export async function getStack(context: Context, given: string | undefined): Promise<Stack> {
  const here = await findHere(context);
  const service = await chooseService(given, here, process.cwd());
  const { project, manifest } = here;
  const isInManifest = manifest?.services.some((one) => one.service === service) === true;
  const requested = isInManifest && manifest !== null ? toRequestedServices(manifest) : [{ service }];
  const { environment, items } = await allocate(context, here, requested, {});
  const query = { project, environment, host: 'localhost', protocol: 'tcp' };
  const held = isInManifest ? items : await readAll<Allocation>(context.connection, '/v1/allocations', query);
  const services = new Map<string, { port: number; url: string }>();
  for (const { service: name, port } of held) {
    // By port: of a service that holds several, the lowest counts, as in a look-up.
    if (!services.has(name)) services.set(name, { port, url: `http://localhost:${port}` });
  }
  const serviceOf = (name: string) => services.get(name) as { port: number; url: string };
  // Its own last: two names may make the same variable, such as `web-api` and `web_api`.
  const names = [...services.keys()].filter((name) => name !== service).concat(service);
  const variables = names.map((name) => ({ name: toVariableName(name), value: String(serviceOf(name).port) }));
  if (manifest !== null) variables.push(...fillVariables(manifest, { project, environment, serviceOf }));
  variables.push({ name: 'PORT', value: String(serviceOf(service).port) });
  return { project, environment, service, services, variables };
}

/** Gets ports in the environment of a folder. A project that is not known yet is created. */
async function allocate(
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
