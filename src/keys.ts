// The keys by which ports are looked up, and their defaults.

/** A port space: one host and protocol. The same number in two port spaces is two ports. */
export interface Space {
  host: string;
  protocol: 'tcp' | 'udp';
}

/** Identifies what a port is held for. A service may hold several ports under one key. */
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

/** Fills in the defaults of a port space. */
export function spaceOf({ host = 'localhost', protocol = 'tcp' }: Given<Space>): Space {
  return { host, protocol };
}

export const isSameSpace = (a: Space, b: Space): boolean => a.host === b.host && a.protocol === b.protocol;

export function distinctSpaces(spaces: readonly Space[]): Space[] {
  return [...new Map(spaces.map(({ host, protocol }) => [`${protocol} ${host}`, { host, protocol }])).values()];
}

/** Fills in the defaults of an allocation's key. */
export function keyOf(
  { project, service }: Pick<AllocationKey, 'project' | 'service'>,
  { environment = 'default', ...space }: Given<Space & { environment: string }>,
): AllocationKey {
  return { project, service, environment, ...spaceOf(space) };
}
