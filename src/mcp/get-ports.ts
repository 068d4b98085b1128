import { spaceOf } from '../keys.js';
import { allocateEnvironment } from '../registry/environments.js';
import { inPlace, type Place, requireServices } from './folder.js';
import type { ToolContext } from './tool.js';

interface Wanted {
  services: readonly string[];
  /** Of the field that names them, for a refusal. */
  pointer: string;
  host: string | undefined;
  protocol: 'tcp' | 'udp' | undefined;
  createProject: boolean | undefined;
}

/**
 * Gets the ports of services in a place, all or none. A project that is new is created if it comes from the folder, or if
 * the agent says so: a name that it gives could be misspelt.
 */
export async function getPorts(context: ToolContext, place: Place, wanted: Wanted) {
  const { session, listenerWarnings, firstRange } = context;
  const { services, pointer, host, protocol, createProject } = wanted;
  requireServices(place, services, pointer);
  const mayCreate = !place.isProjectNamed || createProject === true;
  const { environment, answer } = await inPlace(session, place, (name, path) =>
    allocateEnvironment(
      session,
      { project: place.project, environment: name, ...spaceOf({ host, protocol }) },
      { services: services.map((service) => ({ service })), ...(path !== undefined && { path }) },
      mayCreate ? firstRange : undefined,
    ),
  );
  return { environment, items: await listenerWarnings.addToAll(session, answer.outlines) };
}
