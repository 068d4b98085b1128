// What ports are known by.

/** A port space: one host and protocol. The same number in two port spaces is two ports. */
export interface Space {
  host: string;
  protocol: 'tcp' | 'udp';
}

/** What a port is held for. */
export interface AllocationKey extends Space {
  project: string;
  service: string;
  environment: string;
}

/** One environment of a project in one port space. */
export interface EnvironmentKey extends Space {
  project: string;
  environment: string;
}

type Given<T> = { [Name in keyof T]?: T[Name] | undefined };

/** The port space that is given, with the defaults for what is left out. */
export function spaceOf({ host = 'localhost', protocol = 'tcp' }: Given<Space>): Space {
  return { host, protocol };
}

/** The key that is given, with the defaults for what is left out. */
export function keyOf(
  { project, service }: Pick<AllocationKey, 'project' | 'service'>,
  { environment = 'default', ...space }: Given<Space & { environment: string }>,
): AllocationKey {
  return { project, service, environment, ...spaceOf(space) };
}
