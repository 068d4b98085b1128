import { isIPv6 } from 'node:net';
import { stringify } from 'yaml';
import type { Exported } from '../repositories/exports.js';
import type { Allocation } from '../schemas/allocation.js';
import type { ExportFormat } from '../schemas/export.js';
import { toPlacedDotenv } from './dotenv.js';

export interface Exporter {
  mediaType: string;
  /** Pure: the same allocations give the same text, in the order given. */
  render(exported: readonly Exported[]): string;
}

/** What other programs read. Nothing is exported that would make one of them refuse the rest. */
export const exporters: Record<ExportFormat, Exporter> = {
  dotenv: {
    mediaType: 'text/plain',
    render: (exported) => toPlacedDotenv(exported.map(({ allocation }) => allocation)),
  },
  cloudflared: { mediaType: 'application/yaml', render: toCloudflared },
  prometheus: { mediaType: 'application/json', render: (exported) => toJson(tcpOf(exported).map(toTargetGroup)) },
  traefik: { mediaType: 'application/json', render: toTraefik },
  consul: {
    mediaType: 'application/json',
    render: (exported) => toJson({ services: tcpOf(exported).map(toConsulService) }),
  },
};

/** Hostnames that a second allocation claims too; the audit names them as `duplicate-hostname`. */
export function findDuplicateHostnames(exported: readonly Exported[]): string[] {
  const refused = exported.filter(({ ownsHostname }) => !ownsHostname);
  return [...new Set(refused.map(({ allocation }) => allocation.cloudflareHostname as string))].sort();
}

const tcpOf = (exported: readonly Exported[]) =>
  exported.map(({ allocation }) => allocation).filter(({ protocol }) => protocol === 'tcp');

/** Those with a hostname of their own, by hostname: a wildcard comes after all names that it covers. */
function routedOf(exported: readonly Exported[]): (Allocation & { cloudflareHostname: string })[] {
  const routed = tcpOf(exported.filter(({ ownsHostname }) => ownsHostname)).filter(
    (allocation): allocation is Allocation & { cloudflareHostname: string } => allocation.cloudflareHostname !== null,
  );
  const place = ({ cloudflareHostname: name }: { cloudflareHostname: string }) =>
    `${name.startsWith('*') ? 1 : 0} ${String(1000 - name.length).padStart(4, '0')} ${name}`;
  return routed.sort((a, b) => (place(a) < place(b) ? -1 : 1));
}

const addressOf = ({ host, port }: Allocation) => `${isIPv6(host) ? `[${host}]` : host}:${port}`;

/** Schemes that cloudflared proxies; whatever else a service calls its type is spoken to in HTTP. */
const NOT_HTTP = ['tcp', 'ssh', 'rdp', 'smb'];

function schemeOf({ serviceType }: Allocation): string {
  const type = serviceType?.toLowerCase() ?? 'http';
  return type === 'https' || NOT_HTTP.includes(type) ? type : 'http';
}

/** The first rule that matches counts, and the last one must match everything. */
function toCloudflared(exported: readonly Exported[]): string {
  const rules = routedOf(exported).map((allocation) => ({
    hostname: allocation.cloudflareHostname,
    service: `${schemeOf(allocation)}://${addressOf(allocation)}`,
  }));
  return stringify({ ingress: [...rules, { service: 'http_status:404' }] }, { lineWidth: 0 });
}

function toTargetGroup(allocation: Allocation) {
  const { project, service, environment, host, status, serviceType, cloudflareHostname, id } = allocation;
  return {
    targets: [addressOf(allocation)],
    labels: {
      project,
      service,
      environment,
      __meta_port_allocator_id: id,
      __meta_port_allocator_host: host,
      __meta_port_allocator_status: status,
      __meta_port_allocator_service_type: serviceType ?? '',
      __meta_port_allocator_cloudflare_hostname: cloudflareHostname ?? '',
    },
  };
}

/** Traefik refuses a whole configuration for one empty map. */
function toTraefik(exported: readonly Exported[]): string {
  const routed = routedOf(exported).filter((allocation) => !NOT_HTTP.includes(schemeOf(allocation)));
  if (routed.length === 0) return toJson({});
  const nameOf = ({ service, id }: Allocation) => `${service}-${id}`;
  const routers = routed.map((allocation) => [
    nameOf(allocation),
    { ...toRule(allocation.cloudflareHostname), service: nameOf(allocation) },
  ]);
  const services = routed.map((allocation) => [
    nameOf(allocation),
    { loadBalancer: { servers: [{ url: `${schemeOf(allocation)}://${addressOf(allocation)}` }] } },
  ]);
  return toJson({ http: { routers: Object.fromEntries(routers), services: Object.fromEntries(services) } });
}

/**
 * In the rule syntax of Traefik 3. A wildcard stands for one label, as in a certificate. By default the longer rule
 * goes first, and a wildcard's expression is longer than the names that it covers: its priority is the number of its
 * labels, below every name's, whose own stays what it would be beside routers from elsewhere.
 */
function toRule(hostname: string): { rule: string; priority: number } {
  if (hostname.startsWith('*.')) {
    const rule = `HostRegexp(\`^[^.]+\\.${hostname.slice(2).replaceAll('.', '\\.')}$\`)`;
    return { rule, priority: hostname.split('.').length };
  }
  const rule = `Host(\`${hostname}\`)`;
  return { rule, priority: rule.length };
}

/** On `localhost` without an address: Consul takes that of the agent that reads the definition. */
function toConsulService(allocation: Allocation) {
  const { id, service, project, environment, host, port, serviceType, cloudflareHostname } = allocation;
  const meta = { project, environment, serviceType, cloudflareHostname };
  return {
    id,
    name: service,
    port,
    ...(host !== 'localhost' && { address: host }),
    tags: [project, environment],
    meta: Object.fromEntries(Object.entries(meta).filter(([, value]) => value !== null)),
    checks: [{ name: 'accepts connections', tcp: addressOf(allocation), interval: '10s', timeout: '1s' }],
  };
}

const toJson = (document: unknown) => `${JSON.stringify(document, null, 2)}\n`;
