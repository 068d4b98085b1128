import type { NetworkNames } from '../access/access.js';
import type { ProjectCommand } from './decide.js';
import { hostnamesOf } from './hostnames.js';

type CommandOf<Kind extends ProjectCommand['kind']> = Extract<ProjectCommand, { kind: Kind }>;

/**
 * The names on the network that each kind of command uses. A key may be limited to some names, and its commands are
 * refused if they use others. A command that only releases uses none. One that describes a port which is held already
 * uses no host, because it takes no port.
 */
const names: { [Kind in ProjectCommand['kind']]: (command: CommandOf<Kind>) => NetworkNames } = {
  'get-or-allocate': ({ key, details }) => ({ hosts: [key.host], hostnames: hostnamesOf(details) }),
  allocate: ({ key, details }) => ({ hosts: [key.host], hostnames: hostnamesOf(details) }),
  'allocate-both': ({ key, details }) => ({ hosts: [key.host], hostnames: hostnamesOf(details) }),
  'allocate-environment': ({ services }) => ({
    hosts: services.map(({ key }) => key.host),
    hostnames: services.flatMap(({ details }) => hostnamesOf(details)),
  }),
  release: () => ({}),
  'release-service': () => ({}),
  'release-environment': () => ({}),
  update: ({ details }) => ({ hostnames: hostnamesOf(details) }),
  'update-service': ({ details }) => ({ hostnames: hostnamesOf(details) }),
  reserve: ({ host }) => ({ hosts: [host] }),
  // The host of an existing reservation is known to whoever looked the reservation up: ../registry/reservations.ts.
  'claim-reservation': ({ details }) => ({ hostnames: hostnamesOf(details) }),
  'renew-reservation': () => ({}),
  'cancel-reservation': () => ({}),
  adopt: ({ host }) => ({ hosts: [host] }),
};

export function namesOf(command: ProjectCommand): NetworkNames {
  // TypeScript does not see that a command's kind picks the function that takes this very command.
  return (names[command.kind] as (command: ProjectCommand) => NetworkNames)(command);
}
