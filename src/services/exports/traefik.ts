import type { ExportedRoute } from '../../repositories/reports/exports.js';
import { addressOf, isHttp, schemeOf } from './addresses.js';
import { MAP, mapPages, toJson, writeElements } from './json.js';
import { type ExportSource, filterPages } from './source.js';

/**
 * Routers come before services, so the routes are read twice. What is released or allocated in between leaves a router
 * without a service, which Traefik does not use, or a service without a router. The next poll sets that right.
 */
export async function* writeTraefik(source: ExportSource): AsyncGenerator<string> {
  const read = (toEntry: (route: ExportedRoute) => string) =>
    writeElements(mapPages(filterPages(source.routes(), isHttp), toEntry), MAP, '    ');
  const routers = read(toRouter);
  const first = await routers.next();
  if (first.value === '{}') {
    yield '{}\n'; // Traefik refuses a configuration that has an empty map of routers or services
    return;
  }
  yield `{\n  "http": {\n    "routers": ${first.value}`;
  yield* routers;
  yield ',\n    "services": ';
  yield* read(toService);
  yield '\n  }\n}\n';
}

const nameOf = ({ service, id }: ExportedRoute) => `${service}-${id}`;

function toRouter(route: ExportedRoute): string {
  const router = { ...toRule(route.cloudflare_hostname), service: nameOf(route) };
  return `${JSON.stringify(nameOf(route))}: ${toJson(router)}`;
}

function toService(route: ExportedRoute): string {
  const service = { loadBalancer: { servers: [{ url: `${schemeOf(route)}://${addressOf(route)}` }] } };
  return `${JSON.stringify(nameOf(route))}: ${toJson(service)}`;
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
