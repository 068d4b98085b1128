import type { paths } from '../../../generated/contract.js';
import { parameter } from '../../place.js';

export type ExportFormat = paths['/v1/exports/{format}']['get']['parameters']['path']['format'];

/** What each format is for, and how its file is called here. */
export const FORMATS: Record<ExportFormat, { name: string; use: string; file: string }> = {
  prometheus: {
    name: 'Prometheus',
    use: 'Targets with their project, service and environment as labels. Prometheus also reads the address itself, as http_sd.',
    file: 'targets.json',
  },
  cloudflared: {
    name: 'cloudflared',
    use: 'The ingress rules of a tunnel: a rule for each public hostname, to be appended to config.yml.',
    file: 'ingress.yml',
  },
  traefik: {
    name: 'Traefik',
    use: 'Routers and services for each public hostname. Traefik also reads the address itself, with its HTTP provider.',
    file: 'traefik.json',
  },
  consul: {
    name: 'Consul',
    use: 'Service definitions, each with a check that it accepts connections.',
    file: 'port-allocator.json',
  },
  dotenv: {
    name: '.env file',
    use: 'A variable for each service. Choose one project, environment and host, because services of the same name cannot all be in one file.',
    file: 'ports.env',
  },
};

/** One that never asks for less: a .env file of everything would name several ports alike. */
export const DEFAULT_FORMAT: ExportFormat = 'prometheus';

const chosen = parameter('format');

/** What is exported, as the address says. */
export interface Wanted {
  format: ExportFormat;
  project?: string;
  environment?: string;
  host?: string;
}

export function readFormat(): ExportFormat {
  return Object.hasOwn(FORMATS, chosen.value) ? (chosen.value as ExportFormat) : DEFAULT_FORMAT;
}
