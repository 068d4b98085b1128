import { parse } from 'yaml';

/** A service of a compose file that publishes a port. */
export interface PublishedPort {
  service: string;
  /** The port in the container. */
  target: number;
}

/**
 * Reads the ports that a compose file publishes.
 * @returns them, and a note for each entry that cannot be taken over
 */
export function readComposeServices(text: string, file: string): { ports: PublishedPort[]; notes: string[] } {
  let content: unknown;
  try {
    content = parse(text, { merge: true, logLevel: 'error' });
  } catch (error) {
    const [reason] = (error as Error).message.split('\n', 1);
    return { ports: [], notes: [`${file} was left out, because it cannot be read: ${reason}`] };
  }
  const ports: PublishedPort[] = [];
  const notes: string[] = [];
  for (const [service, entry] of readServices(content)) {
    const target = readTarget(entry);
    if (typeof target === 'string') notes.push(`${file}: a port of ${service} was left out, because ${target}.`);
    else if (!ports.some((one) => one.service === service && one.target === target)) ports.push({ service, target });
  }
  return { ports, notes };
}

/** What Compose takes as the name of a service. */
const NAME = /^[A-Za-z0-9._-]{1,255}$/;

/** Each entry of `ports`, with the name of its service. */
function readServices(content: unknown): [string, unknown][] {
  return Object.entries(readObject(readObject(content).services)).flatMap(([service, definition]) => {
    const { ports } = readObject(definition);
    return NAME.test(service) && Array.isArray(ports) ? ports.map((entry): [string, unknown] => [service, entry]) : [];
  });
}

const readObject = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

/**
 * The port in the container, of the long form or the short one: `[[HOST:]PORT:]TARGET[/PROTOCOL]`.
 * @returns why there is none that could be used, to follow "because"
 */
function readTarget(entry: unknown): number | string {
  const { target, protocol } = readObject(entry);
  const isShort = typeof entry === 'string' || typeof entry === 'number';
  // A variable is replaced by its default: the colon of `${PORT:-80}` does not separate anything.
  const plain = fillDefaults(String(isShort ? entry : target));
  const [port = '', shortProtocol] = (isShort ? (plain.split(':').at(-1) as string) : plain).split('/');
  const usedProtocol = shortProtocol ?? protocol ?? 'tcp';
  if (usedProtocol !== 'tcp') return `its protocol is ${usedProtocol}, and compose entries are for TCP`;
  if (/^\d+-\d+$/.test(port)) return `it is the range ${port}: list its ports one by one`;
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  return number >= 1 && number <= 65535 ? number : 'its port in the container is no number';
}

const fillDefaults = (text: string): string =>
  text.replace(/\$\{[A-Za-z0-9_]+(?::?-([^{}]*)|[^{}]*)\}/g, (_, value?: string) => value ?? '');
