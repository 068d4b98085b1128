import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ManifestService } from '../../detection/manifest/content.js';
import { toSlug } from '../../input/slug.js';
import { toVariableName } from '../../input/variable-names.js';
import type { PublishedPort } from './compose-services.js';
import { readPackageServices, readProcfileServices } from './package-services.js';

/** In the order in which Docker Compose looks for them. */
const COMPOSE_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];
/** Where the package is installed in the project itself. Editors leave out a schema that is not there. */
const SCHEMA = './node_modules/port-allocator/openapi/ports.schema.json';
const MAX_NAME_LENGTH = 63;
const MAX_SERVICES = 1000;

type Proposed = Pick<ManifestService, 'service' | 'compose'>;

export interface Proposal {
  /** The text of a `ports.yaml`. */
  text: string;
  /** What was left out, and why. */
  notes: string[];
}

/** Makes a `ports.yaml` of what is in a folder: its compose file, its package.json and its Procfile. */
export async function proposeManifest(project: string, folder: string): Promise<Proposal> {
  const composeFile = COMPOSE_FILES.find((name) => existsSync(join(folder, name)));
  const { ports, notes } = composeFile
    ? (await import('./compose-services.js')).readComposeServices(
        readFileSync(join(folder, composeFile), 'utf8'),
        composeFile,
      )
    : { ports: [], notes: [] };
  const names = [...readPackageServices(folder), ...readProcfileServices(folder)];
  const services = proposeServices(ports, names);
  if (services.length === 0) {
    notes.push('Nothing here says which services need a port, so the file begins with one, web.');
    services.push({ service: 'web' });
  }
  return { text: writeManifest(project, services), notes };
}

/** Gives each service a name that no other one has, also not as a variable. A name of a process is taken once. */
export function proposeServices(ports: readonly PublishedPort[], names: readonly string[]): Proposed[] {
  const services = new Map<string, Proposed>();
  const add = (name: string, compose?: PublishedPort) => {
    const service = nameFreely(name, services);
    services.set(toVariableName(service), { service, ...(compose && { compose }) });
  };
  for (const port of ports) {
    const isFirst = ports.find(({ service }) => service === port.service) === port;
    add(isFirst ? port.service : `${port.service.slice(0, 50)}-${port.target}`, port);
  }
  for (const name of new Set(names)) {
    if (!services.has(toVariableName(toServiceName(name)))) add(name);
  }
  return [...services.values()].slice(0, MAX_SERVICES);
}

function nameFreely(name: string, taken: ReadonlyMap<string, Proposed>): string {
  const wanted = toServiceName(name);
  let free = wanted;
  for (let i = 2; taken.has(toVariableName(free)); i++) free = `${wanted.slice(0, MAX_NAME_LENGTH - 5)}-${i}`;
  return free;
}

/** A name whose variable does not begin with a digit. */
function toServiceName(name: string): string {
  const slug = toSlug(name);
  return /^\d/.test(slug) ? `service-${slug}`.slice(0, MAX_NAME_LENGTH).replace(/[._-]+$/, '') : slug;
}

export function writeManifest(project: string, services: readonly Proposed[]): string {
  const lines = services.map(({ service, compose }) => {
    const entry = compose ? `{ compose: { service: ${quote(compose.service)}, target: ${compose.target} } }` : '{}';
    return `  ${quote(service)}: ${entry}`;
  });
  const first = (services[0] as Proposed).service;
  return `# yaml-language-server: $schema=${SCHEMA}
# The services of this project that need a port, without numbers: each copy of the project gets its own.
project: ${quote(project)}
services:
${lines.join('\n')}
# Variables besides those of the ports, such as ${toVariableName(first)}:
# env:
#   ${toVariableName(first).replace(/_PORT$/, '_URL')}: "{${first}.url}"
`;
}

/** As it is where YAML reads it as a text in all of its versions. */
const quote = (text: string): string =>
  /^[A-Za-z][A-Za-z0-9._-]*$/.test(text) && !/^(true|false|yes|no|on|off|y|n|null)$/i.test(text)
    ? text
    : JSON.stringify(text);
