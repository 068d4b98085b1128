import { isIPv6 } from 'node:net';
import { stringify } from 'yaml';
import { type MediaType, mediaTypes } from '../media-types.js';
import type { Exported } from '../repositories/exports.js';
import type { Allocation } from '../schemas/allocation.js';
import type { ExportFormat } from '../schemas/export.js';
import { toExportedDotenv } from './dotenv.js';

export interface Exporter {
  mediaType: MediaType;
  /** Renders the allocations in the order given. The same allocations always give the same text. */
  render(exported: readonly Exported[]): string;
}

/**
 * Files that other programs read. These refuse a whole file for one entry that they do not accept, so each exporter
 * leaves such entries out.
 */
export const exporters: Record<ExportFormat, Exporter> = {
  dotenv: {
    mediaType: mediaTypes.text,
    render: (exported) => toExportedDotenv(exported.map(({ allocation }) => allocation)),
  },
  cloudflared: { mediaType: mediaTypes.yaml, render: toCloudflared },
  prometheus: { mediaType: mediaTypes.json, render: (exported) => toJson(tcpOf(exported).map(toTargetGroup)) },
  traefik: { mediaType: mediaTypes.json, render: toTraefik },
  consul: {
    mediaType: mediaTypes.json,
    render: (exported) => toJson({ services: tcpOf(exported).map(toConsulService) }),
  },
};

/** Hostnames that more than one allocation has. The audit reports them as `duplicate-hostname`. */
export function findDuplicateHostnames(exported: readonly Exported[]): string[] {
  const notOwned = exported.filter(({ ownsHostname }) => !ownsHostname);
  return [...new Set(notOwned.map(({ allocation }) => allocation.cloudflareHostname as string))].sort();
}

const tcpOf = (exported: readonly Exported[]) =>
  exported.map(({ allocation }) => allocation).filter(({ protocol }) => protocol === 'tcp');

/**
 * The TCP allocations that own a hostname: longer names first, and every wildcard after all other names. The order
 * counts for cloudflared, which takes the first rule that matches.
 */
function findRouted(exported: readonly Exported[]): (Allocation & { cloudflareHostname: string })[] {
  const routed = tcpOf(exported.filter(({ ownsHostname }) => ownsHostname)).filter(
    (allocation): allocation is Allocation & { cloudflareHostname: string } => allocation.cloudflareHostname !== null,
  );
  const sortKey = ({ cloudflareHostname: name }: { cloudflareHostname: string }) =>
    `${name.startsWith('*') ? 1 : 0} ${String(1000 - name.length).padStart(4, '0')} ${name}`;
  return routed.sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

const addressOf = ({ host, port }: Allocation) => `${isIPv6(host) ? `[${host}]` : host}:${port}`;

/**
 * The service types that cloudflared reaches by a scheme of the same name, apart from `http` and `https`. A service of
 * any other type is reached by `http`.
 */
const NON_HTTP_SCHEMES = ['tcp', 'ssh', 'rdp', 'smb'];

function schemeOf({ serviceType }: Allocation): string {
  const type = serviceType?.toLowerCase() ?? 'http';
  return type === 'https' || NON_HTTP_SCHEMES.includes(type) ? type : 'http';
}

/** cloudflared refuses a file whose last rule does not match every request. */
function toCloudflared(exported: readonly Exported[]): string {
  const rules = findRouted(exported).map((allocation) => ({
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

/** Traefik refuses a configuration that has an empty map of routers or services, so with none it is `{}`. */
function toTraefik(exported: readonly Exported[]): string {
  const routed = findRouted(exported).filter((allocation) => !NON_HTTP_SCHEMES.includes(schemeOf(allocation)));
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
 * A rule in the syntax of Traefik 3, and its priority. A wildcard stands for one label, as in a certificate.
 *
 * Traefik's default priority is the length of the rule, and the rule with the highest priority is tried first. A
 * wildcard's expression is longer than the rules of the names that it covers, and would win over them. Therefore a
 * wildcard gets the number of its labels as its priority, which is below the length of any rule. The other names keep
 * the default, so that they compare as usual with routers from other configurations.
 */
function toRule(hostname: string): { rule: string; priority: number } {
  if (hostname.startsWith('*.')) {
    const rule = `HostRegexp(\`^[^.]+\\.${hostname.slice(2).replaceAll('.', '\\.')}$\`)`;
    return { rule, priority: hostname.split('.').length };
  }
  const rule = `Host(\`${hostname}\`)`;
  return { rule, priority: rule.length };
}

/** A service on `localhost` gets no address. Consul then takes that of the agent that reads the definition. */
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
