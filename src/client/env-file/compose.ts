import type { ManifestService } from '../../detection/manifest/content.js';
import { ClientFailure } from '../failure.js';

export interface ComposeStack {
  project: string;
  environment: string;
  services: readonly Pick<ManifestService, 'service' | 'compose'>[];
  portOf(service: string): number;
}

/** Words that YAML reads as no text, in one of its versions. */
const NO_TEXT = /^(true|false|yes|no|on|off|y|n|null|~)$/i;

/**
 * Lines of an override file for Docker Compose, by the `compose` entries of the manifest. `!override` replaces the
 * ports of the file before it; without it they would be added, and two copies of a stack would still want one port.
 * Compose knows it from 2.24.4 on.
 * @throws ClientFailure usage, if the manifest has no such entry
 */
export function toComposeLines({ project, environment, services, portOf }: ComposeStack): string[] {
  const mappings = new Map<string, string[]>();
  for (const { service, compose } of services) {
    if (!compose) continue;
    const mapping = `      - "127.0.0.1:${portOf(service)}:${compose.target}"`;
    mappings.set(compose.service, [...(mappings.get(compose.service) ?? []), mapping]);
  }
  if (mappings.size === 0) {
    throw new ClientFailure(
      'usage',
      'No service of ports.yaml says which port of a container it stands for.',
      'Add it, such as "db: { compose: { service: postgres, target: 5432 } }".',
    );
  }
  return [
    '# docker compose -f compose.yaml -f THIS_FILE up',
    // Compose allows no dots in the names of its projects.
    `# COMPOSE_PROJECT_NAME=${`${project}-${environment}`.replaceAll('.', '-')} keeps the containers of this copy apart.`,
    'services:',
    ...[...mappings].flatMap(([name, ports]) => [`  ${toKey(name)}:`, '    ports: !override', ...ports]),
  ];
}

const toKey = (name: string): string =>
  /^[A-Za-z][A-Za-z0-9._-]*$/.test(name) && !NO_TEXT.test(name) ? name : JSON.stringify(name);
