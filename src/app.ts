import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { mcpOverHttp } from './mcp/http.js';
import { version } from './package-root.js';
import { registerAuthentication } from './plugins/authentication.js';
import { registerDashboard } from './plugins/dashboard.js';
import { BODY_LIMIT_BYTES, registerBodies, registerSerializers } from './plugins/json.js';
import { registerLoadShedding } from './plugins/load-shedding.js';
import { registerLocalOnly } from './plugins/local-only.js';
import { registerLog } from './plugins/log.js';
import { refuseMalformedHttp, registerMalformedHttp } from './plugins/malformed-http.js';
import { registerMetrics, serveMetrics } from './plugins/metrics.js';
import { registerNegotiation } from './plugins/negotiation.js';
import { registerOpenapi } from './plugins/openapi.js';
import { registerOrigins } from './plugins/origins.js';
import { registerProblems, sendProblem, toHttpRefusal } from './plugins/problems.js';
import { RateLimit } from './plugins/rate-limit.js';
import { registerRequestTimeout } from './plugins/request-timeout.js';
import { registerSecurityHeaders, SECURITY_HEADERS } from './plugins/security-headers.js';
import { allocationRoutes } from './routes/allocations.js';
import { apiKeyRoutes } from './routes/api-keys.js';
import { auditRoutes } from './routes/audits.js';
import { environmentRoutes } from './routes/environments.js';
import { exportRoutes } from './routes/exports.js';
import { healthRoutes } from './routes/health.js';
import { healthCheckRoutes } from './routes/health-checks.js';
import { importRoutes } from './routes/imports.js';
import { portRoutes } from './routes/ports.js';
import { rangeRoutes } from './routes/ranges.js';
import { registerSessions } from './routes/requests.js';
import { reservationRoutes } from './routes/reservations.js';
import { serviceRoutes } from './routes/services.js';
import type { Service } from './service.js';

/** Longer than the idle time of common proxies (nginx and ALB 60 s, Traefik 90 s), or they see sporadic 502s. */
const KEEP_ALIVE_TIMEOUT_MS = 95_000;
/** Node's own default. It must not be above REQUEST_TIMEOUT_MS: Node would then apply each to the other's case. */
const HEADERS_TIMEOUT_MS = 60_000;
/** How often Node looks for requests that do not arrive; its default of 30 s would stretch REQUEST_TIMEOUT_MS. */
const CONNECTIONS_CHECKING_INTERVAL_MS = 1000;

/** The whole service, short of listening: tests use this same one. */
export async function buildApp(service: Service): Promise<FastifyInstance> {
  const { config, log, readiness, metrics, registry, keyring, auditor, redact } = service;
  const { basePath, rateLimitPerMinute: perMinute } = config;
  const app = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }), // one line a request, from the hook below
    genReqId: requestIdOf,
    // A logger of its own for every request would cost more than most requests: lines carry `reqId` themselves.
    childLoggerFactory: (logger) => logger,
    requestIdHeader: false,
    bodyLimit: BODY_LIMIT_BYTES,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: config.requestTimeoutMs, // until a request has arrived whole; what it takes then is the hook's below
    http: {
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, config.requestTimeoutMs),
      connectionsCheckingInterval: CONNECTIONS_CHECKING_INTERVAL_MS,
      requireHostHeader: false, // refused by registerMalformedHttp, as a problem document
    },
    forceCloseConnections: 'idle',
    return503OnClosing: false, // what still arrives on an open connection is answered, and the connection then closed
    trustProxy: config.trustProxy.length > 0 ? [...config.trustProxy] : false,
    routerOptions: { maxParamLength: 1024 },
    rewriteUrl: ({ url = '/' }) => withoutBasePath(url, basePath),
    clientErrorHandler: refuseMalformedHttp,
    frameworkErrors: (error, request, reply) => {
      reply.headers(SECURITY_HEADERS).header('x-request-id', request.id);
      sendProblem(toHttpRefusal(error), request, reply);
    },
  }).withTypeProvider<TypeBoxTypeProvider>();

  registerProblems(app, redact);
  registerMetrics(app, metrics);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  registerSecurityHeaders(app);
  // An answer given while stopping is the last on its connection: a client that kept it would keep the process.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (readiness.isStopping()) reply.header('connection', 'close');
    done();
  });
  registerLog(app);
  registerLoadShedding(app);
  registerMalformedHttp(app);
  registerRequestTimeout(app, config.requestTimeoutMs);
  if (config.adminApiKey === null && !config.allowUnauthenticated) registerLocalOnly(app);
  await registerOrigins(app, config);
  registerAuthentication(app, keyring, perMinute === null ? null : new RateLimit(perMinute));
  await registerNegotiation(app);
  registerBodies(app);
  registerSerializers(app);
  const publicUrl = config.publicUrl ?? basePath;
  await registerOpenapi(app, { version, publicUrl });
  registerDashboard(app);

  registerSessions(app, registry);

  app.addHook('preClose', async () => auditor.stop());
  app.addHook('onClose', () => keyring.touch());
  const all = [
    healthRoutes,
    serviceRoutes,
    environmentRoutes,
    allocationRoutes,
    healthCheckRoutes,
    reservationRoutes,
    importRoutes,
    auditRoutes,
    rangeRoutes,
    portRoutes,
    exportRoutes,
    apiKeyRoutes,
  ];
  serveMetrics(app, metrics, registry);
  for (const routes of all) await app.register(routes, { ...service, publicUrl });
  await app.register(mcpOverHttp, service);
  return app;
}

/** The caller's own id, if it is one that can stand in a log line; else a new one. */
function requestIdOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}

/** Whether the proxy in front strips BASE_PATH or not, the routes are met. */
function withoutBasePath(url: string, basePath: string): string {
  if (url === '*') return '/*'; // it names no resource (RFC 9110, 7.1), and the router would take it for the root
  return basePath !== '' && url.startsWith(`${basePath}/`) ? url.slice(basePath.length) : url;
}
