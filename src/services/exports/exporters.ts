import { stringify } from 'yaml';
import type { ExportFormat } from '../../input/export-formats.js';
import { type MediaType, mediaTypes } from '../../media-types.js';
import type { ExportedPort } from '../../repositories/reports/exports.js';
import { addressOf, toTunnelRule } from './addresses.js';
import { writeExportedDotenv } from './dotenv.js';
import { LIST, mapPages, toJson, writeElements } from './json.js';
import type { ExportSource } from './source.js';
import { writeTraefik } from './traefik.js';

export interface Exporter {
  mediaType: MediaType;
  /** Writes the text piece by piece. The same allocations always give the same text. */
  write(source: ExportSource): AsyncGenerator<string>;
}

/**
 * Files that other programs read. These refuse a whole file for one entry that they do not accept, so each exporter
 * leaves such entries out.
 */
export const exporters: Record<ExportFormat, Exporter> = {
  dotenv: { mediaType: mediaTypes.text, write: writeExportedDotenv },
  cloudflared: { mediaType: mediaTypes.yaml, write: writeCloudflared },
  prometheus: { mediaType: mediaTypes.json, write: writePrometheus },
  traefik: { mediaType: mediaTypes.json, write: writeTraefik },
  consul: { mediaType: mediaTypes.json, write: writeConsul },
};

/** cloudflared refuses a file whose last rule does not match every request. */
async function* writeCloudflared({ routes }: ExportSource): AsyncGenerator<string> {
  yield 'ingress:\n';
  for await (const page of routes()) {
    const rules = page.map(toTunnelRule);
    if (rules.length > 0) yield toRules(rules);
  }
  yield toRules([{ service: 'http_status:404' }]);
}

const toRules = (rules: object[]) => stringify({ ingress: rules }, { lineWidth: 0 }).slice('ingress:\n'.length);

async function* writePrometheus({ targets }: ExportSource): AsyncGenerator<string> {
  yield* writeElements(
    mapPages(targets(), (port) => toJson(toTargetGroup(port))),
    LIST,
    '',
  );
  yield '\n';
}

function toTargetGroup(port: ExportedPort) {
  const { project, service, environment } = port;
  return {
    targets: [addressOf(port)],
    labels: {
      project,
      service,
      environment,
      __meta_port_allocator_id: port.id,
      __meta_port_allocator_host: port.host,
      __meta_port_allocator_status: port.status,
      __meta_port_allocator_service_type: port.service_type ?? '',
      __meta_port_allocator_cloudflare_hostname: port.cloudflare_hostname ?? '',
    },
  };
}

async function* writeConsul({ targets }: ExportSource): AsyncGenerator<string> {
  yield '{\n  "services": ';
  yield* writeElements(
    mapPages(targets(), (port) => toJson(toConsulService(port))),
    LIST,
    '  ',
  );
  yield '\n}\n';
}

/** A service on `localhost` gets no address. Consul then takes that of the agent that reads the definition. */
function toConsulService(exported: ExportedPort) {
  const { id, service, project, environment, host, port, service_type, cloudflare_hostname } = exported;
  const meta = { project, environment, serviceType: service_type, cloudflareHostname: cloudflare_hostname };
  return {
    id,
    name: service,
    port,
    ...(host !== 'localhost' && { address: host }),
    tags: [project, environment],
    meta: Object.fromEntries(Object.entries(meta).filter(([, value]) => value !== null)),
    checks: [{ name: 'accepts connections', tcp: addressOf(exported), interval: '10s', timeout: '1s' }],
  };
}
