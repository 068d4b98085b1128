import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors.js';
import { isLocalhostName, isLoopback, toPlainHost } from '../schemas/host.js';

/**
 * Refuses requests whose `Host` is not a local name, and requests that a proxy passed on. It is used while no keys are
 * in force. Without it, a web page could reach the service through a host name of its own that resolves to 127.0.0.1
 * (DNS rebinding), and a proxy on this machine would make the service available to everybody whom the proxy serves.
 *
 * A proxy is recognized by what it adds. nginx up to 1.29.6 adds no header by default, and sends the address of this
 * service as `Host`, but it speaks HTTP/1.0, which hardly any other program does. A proxy that shows none of this cannot
 * be told from a local program: docs/access.md says so.
 *
 * Health checks in HTTP/1.0, with a local `Host` or none, are answered: they are usual, and change and reveal nothing.
 */
export function registerLocalOnly(app: FastifyInstance): void {
  app.addHook('onRequest', ({ headers, raw, routeOptions }, _reply, done) => {
    for (const name in headers) {
      if (isAddedByProxy(name)) return done(refuseForwarded(name));
    }
    const isOldHealthCheck = raw.httpVersion === '1.0' && HEALTH_ENDPOINTS.has(routeOptions.url);
    if (raw.httpVersion === '1.0' && !isOldHealthCheck) return done(refuseOldHttp());
    if (headers.host === undefined && isOldHealthCheck) return done();
    const host = toPlainHost((headers.host ?? '').replace(/:\d+$/, ''));
    if (isLoopback(host) || isLocalhostName(host)) return done();
    done(refuseHost(host));
  });
}

const HEALTH_ENDPOINTS: ReadonlySet<string | undefined> = new Set(['/livez', '/readyz']);

/**
 * Headers that proxies, load balancers, CDNs and tunnels add to the requests that they pass on. What programs send by
 * themselves is not among them: ids of requests and traces, such as `X-Request-Id`, `Traceparent`, `X-Amzn-Trace-Id`
 * and `X-Cloud-Trace-Context`. The balancers of AWS and Google, which add the last two, add `X-Forwarded-For` as well.
 */
const OF_PROXIES = [
  // The standards: RFC 9110 (7.6.3) and RFC 8586. `Forwarded` (RFC 7239) is below.
  'via',
  'cdn-loop',
  // Apache, Caddy, Envoy, HAProxy (if told to), IIS, ngrok, Tailscale and Traefik; the balancers of AWS, Azure and Google.
  // Also Forwarded-For and X-Original-Forwarded-For.
  /(^|-)forwarded/,
  // The address of the client: X-Real-IP (nginx, Traefik), Client-IP, X-Client-IP, X-Cluster-Client-IP, True-Client-IP
  // (Akamai), CF-Connecting-IP, Fastly-Client-IP, Fly-Client-IP, DO-Connecting-IP, X-Azure-ClientIP, X-Remote-Addr.
  /(^|-)(client|connecting|real|remote|original|user)-?(ip|addr|address)$/,
  // What the client asked for before the proxy changed it: X-Original-URL, X-Original-Host, X-Original-For.
  /^x-original-/,
  'x-rewrite-url',
  'x-scheme',
  'x-url-scheme',
  'front-end-https',
  // Marks of single products. Each adds some of them to every request.
  /^cf-/, // Cloudflare, also its tunnels
  /^(cloudfront-|x-amz-cf-)/,
  /^(x-)?(akamai|fastly|fly|ngrok|tailscale|vercel|varnish)(-|$)/,
  /^x-(appengine|arr|azure|envoy|nf|nginx|railway)-/, // Google, IIS, Azure, Envoy, Netlify, Railway
  /^x-(goog-(iap|authenticated)|pomerium|auth-request)-/, // proxies that ask for a login
  /^x-proxy/, // zrok and others
  /^x-.*-via$/,
  'surrogate-capability', // Varnish and others, for edge side includes
  /^l5d-/, // Linkerd
];
const NAMES: ReadonlySet<unknown> = new Set(OF_PROXIES);
const PATTERN = new RegExp(OF_PROXIES.flatMap((of) => (of instanceof RegExp ? of.source : [])).join('|'));

/** @param given a name as Node gives it, in lower case. Programs that take a CGI's variables for headers send underscores. */
function isAddedByProxy(given: string): boolean {
  const name = given.replaceAll('_', '-');
  return NAMES.has(name) || PATTERN.test(name);
}

function refuseForwarded(name: string): AppError {
  return new AppError(
    'forbidden',
    `Without authentication this service answers no forwarded requests, and this one has ${name}. ` +
      'Ask it directly on this machine, or set ADMIN_API_KEY or ALLOW_UNAUTHENTICATED=true.',
  );
}

function refuseOldHttp(): AppError {
  return new AppError(
    'forbidden',
    'Without authentication this service answers no requests in HTTP/1.0, because nginx forwards requests in it. ' +
      'Ask in HTTP/1.1, directly on this machine, or set ADMIN_API_KEY or ALLOW_UNAUTHENTICATED=true.',
  );
}

function refuseHost(host: string): AppError {
  return new AppError(
    'forbidden',
    `Without authentication this service answers only to local names, and not to ${JSON.stringify(host)}. ` +
      'Use http://localhost or http://127.0.0.1, or set ADMIN_API_KEY or ALLOW_UNAUTHENTICATED=true.',
  );
}
