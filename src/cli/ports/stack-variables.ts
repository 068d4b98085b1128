import type { Detected } from '../../client/detect.js';
import type { Variable } from '../../client/env-file/texts.js';
import { findEnvironment, inEnvironment } from '../../client/environment.js';
import { ClientFailure } from '../../client/failure.js';
import { fillVariables, type ManifestService, toRequestedServices } from '../../client/manifest/content.js';
import { findVariableConflicts, toVariableName } from '../../input/variable-names.js';
import type { Allocation } from '../../schemas/allocation.js';
import type { Context } from '../context.js';

/** The variables of a stack, and what they were made of. */
export interface StackVariables {
  project: string;
  environment: string;
  /** Those of the manifest, or without a manifest those that hold a port. */
  services: readonly Pick<ManifestService, 'service' | 'compose'>[];
  portOf(service: string): number;
  /** A port for each service, and then what the manifest adds. */
  variables: Variable[];
}

type Held = Pick<Allocation, 'service' | 'port' | 'host'>;

/**
 * Reads the variables of a folder's whole stack. The services of a manifest get their ports by it. Without one nothing
 * is allocated, because nothing says what the stack is made of.
 * @throws ClientFailure usage, if there is neither a manifest nor a port
 */
export async function readVariables(context: Pick<Context, 'connection'>, here: Detected): Promise<StackVariables> {
  const { project, manifest } = here;
  const isListed = manifest !== null && manifest.services.length > 0;
  const { environment, items } = isListed ? await getListed(context, here) : await readHeld(context, here);
  const held = new Map<string, Held>();
  // Of a service that holds several ports, the first one counts, which is the lowest.
  for (const item of items) if (!held.has(item.service)) held.set(item.service, item);
  requireUsableNames([...held.keys()]);
  const portOf = (service: string) => (held.get(service) as Held).port;
  const serviceOf = (service: string) => ({ port: portOf(service), url: urlOf(held.get(service) as Held) });
  const ports = [...held.keys()].map((service) => ({ name: toVariableName(service), value: String(portOf(service)) }));
  const added = manifest === null ? [] : fillVariables(manifest, { project, environment, serviceOf });
  const services = isListed ? manifest.services : [...held.keys()].map((service) => ({ service }));
  return { project, environment, services, portOf, variables: [...ports, ...added] };
}

const urlOf = ({ host, port }: Held): string => `http://${host}:${port}`;

function getListed({ connection }: Pick<Context, 'connection'>, here: Detected) {
  const services = here.manifest === null ? [] : toRequestedServices(here.manifest);
  return inEnvironment(connection, here, async (environment, path) => {
    const { items } = await connection.send<{ items: Held[] }>({
      method: 'PUT',
      path: `/v1/projects/${here.project}/environments/${environment}`,
      query: { createProject: true },
      body: { services, ...(path !== null && { path }) },
    });
    return { environment, items };
  });
}

async function readHeld({ connection }: Pick<Context, 'connection'>, here: Detected) {
  const environment = await findEnvironment(connection, here);
  const { items } = await connection
    .send<{ items: Held[] }>({ method: 'GET', path: `/v1/projects/${here.project}/environments/${environment}` })
    .catch((error) => {
      if (error instanceof ClientFailure && error.problem?.status === 404) return { items: [] };
      throw error;
    });
  if (items.length > 0) return { environment, items };
  throw new ClientFailure(
    'usage',
    `Environment ${environment} of ${here.project} holds no port, and no ports.yaml names its services.`,
    'Write one with pa init, or get a port with pa port SERVICE.',
  );
}

function requireUsableNames(services: string[]): void {
  const conflicts = findVariableConflicts(services);
  if (conflicts.length === 0) return;
  const reason = `The services make no usable variables: ${conflicts.join('; ')}.`;
  throw new ClientFailure('usage', reason, 'List the services that are wanted in ports.yaml, or rename them.');
}
