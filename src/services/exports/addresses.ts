import { isIPv6 } from 'node:net';
import type { ExportedPort, ExportedRoute } from '../../repositories/reports/exports.js';

export const addressOf = ({ host, port }: ExportedPort): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`;

/**
 * The service types that cloudflared reaches by a scheme of the same name, apart from `http` and `https`. A service of
 * any other type is reached by `http`.
 */
const NON_HTTP_SCHEMES = ['tcp', 'ssh', 'rdp', 'smb'];

export function schemeOf({ service_type }: ExportedPort): string {
  const type = service_type?.toLowerCase() ?? 'http';
  return type === 'https' || NON_HTTP_SCHEMES.includes(type) ? type : 'http';
}

/** The rule of a Cloudflare tunnel for a route. */
export const toTunnelRule = (route: ExportedRoute): { hostname: string; service: string } => ({
  hostname: route.cloudflare_hostname,
  service: `${schemeOf(route)}://${addressOf(route)}`,
});

export const isHttp = (port: ExportedPort): boolean => !NON_HTTP_SCHEMES.includes(schemeOf(port));
