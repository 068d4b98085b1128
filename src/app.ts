import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Redact } from './access/redact.js';
import { mcpOverHttp } from './mcp/http.js';
import type { Metrics } from './metrics.js';
import { version } from './package-root.js';
import { registerAuthentication } from './plugins/authentication.js';
import { registerBodies } from './plugins/bodies.js';
import { registerDashboard } from './plugins/dashboard.js';
import { registerBodyBytes } from './plugins/limits/body-bytes.js';
import { CONNECTION_LIMITS, Connections } from './plugins/limits/connections.js';
import { registerLoadShedding } from './plugins/limits/load-shedding.js';
import { Pipelining } from './plugins/limits/pipelining.js';
import { networkOf, RateLimit } from './plugins/limits/rate-limit.js';
import { registerUnreadBodies } from './plugins/limits/read-body.js';
import { registerRequestTimeout } from './plugins/limits/request-timeout.js';
import { registerUnreadAnswers } from './plugins/limits/unread-answers.js';
import { registerLocalOnly } from './plugins/local-only.js';
import { registerLog } from './plugins/log.js';
import { refuseMalformedHttp, registerMalformedHttp } from './plugins/malformed-http.js';
import { registerMetrics, serveMetrics } from './plugins/metrics.js';
import { registerNegotiation } from './plugins/negotiation.js';
import { registerOpenapi } from './plugins/openapi.js';
import { registerOrigins } from './plugins/origins.js';
import { type OwnProcess, registerOwnProcess } from './plugins/own-process.js';
import { registerProblems, sendProblem, toHttpRefusal } from './plugins/problems.js';
import { registerSecurityHeaders, SECURITY_HEADERS } from './plugins/security-headers.js';
import { allocationRoutes } from './routes/allocations.js';
import { apiKeyRoutes } from './routes/api-keys.js';
import { auditRoutes } from './routes/audits.js';
import { environmentRoutes } from './routes/environments.js';
import { cloudflareRoutes } from './routes/events/cloudflare.js';
import { eventRoutes } from './routes/events/events.js';
import { webhookRoutes } from './routes/events/webhooks.js';
import { excludedPortRoutes } from './routes/excluded-ports.js';
import { exportRoutes } from './routes/exports.js';
import { healthRoutes } from './routes/health.js';
import { healthCheckRoutes } from './routes/health-checks.js';
import { importRoutes } from './routes/imports.js';
import { portRoutes } from './routes/ports.js';
import { rangeRoutes } from './routes/ranges.js';
import { registerSessions } from './routes/requests.js';
import { reservationRoutes } from './routes/reservations.js';
import { serviceRoutes } from './routes/services.js';
import { BODY_LIMIT_BYTES } from './schemas/validation.js';
import type { Service } from './service.js';

/**
 * How long an idle connection is kept. Common proxies close theirs after 60 s (nginx, ALB) or 90 s (Traefik). If this
 * service closed first, a proxy could send a request on a connection that is just being closed, and answer it with 502.
 */
const KEEP_ALIVE_TIMEOUT_MS = 95_000;
/**
 * Node's default. It must not be above REQUEST_TIMEOUT_MS: Node would then use each of the two for the other's case.
 */
const HEADERS_TIMEOUT_MS = 60_000;
/**
 * How often Node checks for requests that have not arrived in time. With its default of 30 s, a request could take up
 * to 30 s longer than REQUEST_TIMEOUT_MS to arrive.
 */
const CONNECTIONS_CHECKING_INTERVAL_MS = 1000;

/**
 * Builds the whole HTTP service, which does not listen yet. Tests use the same function as production.
 * @param ownProcess what `/process` serves on the socket of the data folder. Null on PostgreSQL, which has no socket.
 */
export async function buildApp(
  service: Service,
  metrics: Metrics,
  ownProcess: OwnProcess | null = null,
): Promise<FastifyInstance> {
  const { config, openFiles, log, readiness, registry, keyring, prober, redact } = service;
  const { basePath, rateLimitPerMinute: perMinute } = config;
  const connectionLimits = { ...CONNECTION_LIMITS, total: openFiles.connections };
  const connections = new Connections(log as FastifyBaseLogger, metrics, config.trustProxy, connectionLimits);
  const pipelining = new Pipelining(connections);
  const limit = perMinute === null ? null : new RateLimit(perMinute);
  const app = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }), // registerLog writes one line for each request
    genReqId: (request) => requestIdOf(request, redact),
    // Making a child logger costs more than most requests do. Each line is given its `reqId` explicitly instead.
    childLoggerFactory: (logger) => logger,
    requestIdHeader: false,
    bodyLimit: BODY_LIMIT_BYTES,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: config.requestTimeoutMs, // bounds its arrival; registerRequestTimeout bounds how long it is handled
    http: {
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, config.requestTimeoutMs),
      connectionsCheckingInterval: CONNECTIONS_CHECKING_INTERVAL_MS,
      requireHostHeader: false, // refused by registerMalformedHttp, as a problem document
    },
    forceCloseConnections: 'idle',
    return503OnClosing: false, // a request that arrives on an open connection while stopping is still answered normally
    trustProxy: config.trustProxy.length > 0 ? [...config.trustProxy] : false,
    routerOptions: { maxParamLength: 1024 },
    rewriteUrl: ({ url = '/' }) => withoutBasePath(url, basePath),
    clientErrorHandler: refuseMalformedHttp(connections),
    // A request with a malformed URL comes to no hooks. It waits for its turn and counts towards its address all the
    // same: 100 connections that sent nothing else kept the process from answering anybody.
    frameworkErrors: (error, request, reply) => {
      pipelining.waitForTurn(request.raw.socket, reply.raw, () => {
        reply.headers(SECURITY_HEADERS).header('x-request-id', request.id);
        const refusal = limit?.count(networkOf(connections.clientOf(request.raw))) ?? toHttpRefusal(error);
        sendProblem(refusal, request, reply);
      });
    },
  }).withTypeProvider<TypeBoxTypeProvider>();

  connections.watch(app.server);
  pipelining.noticeRequests(app);
  registerProblems(app, redact);
  registerMetrics(app, metrics);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  registerSecurityHeaders(app);
  // While stopping, each answer closes its connection. A client that kept its connection would keep the process
  // running.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (readiness.isStopping()) reply.header('connection', 'close');
    done();
  });
  registerLog(app);
  registerUnreadBodies(app);
  registerLoadShedding(app);
  pipelining.takeTurns(app);
  if (ownProcess) registerOwnProcess(app, ownProcess);
  registerUnreadAnswers(app, connections);
  registerMalformedHttp(app);
  registerRequestTimeout(app, config.requestTimeoutMs);
  if (config.adminApiKey === null && !config.allowUnauthenticated) registerLocalOnly(app);
  await registerOrigins(app, config);
  registerAuthentication(app, keyring, limit);
  await registerNegotiation(app);
  registerBodyBytes(app);
  registerBodies(app);
  const publicUrl = config.publicUrl ?? basePath;
  await registerOpenapi(app, { version, publicUrl });
  registerDashboard(app, config);

  app.addHook('preClose', async () => prober.stop());
  app.addHook('onClose', () => keyring.touch());
  const versioned = [
    serviceRoutes,
    environmentRoutes,
    allocationRoutes,
    healthCheckRoutes,
    reservationRoutes,
    importRoutes,
    auditRoutes,
    rangeRoutes,
    portRoutes,
    excludedPortRoutes,
    exportRoutes,
    eventRoutes,
    cloudflareRoutes,
    apiKeyRoutes,
    webhookRoutes,
  ];
  const options = { ...service, publicUrl };
  serveMetrics(app, metrics, registry);
  await app.register(healthRoutes, options);
  await app.register(async (v1) => {
    registerSessions(v1, registry, redact); // a hook of these routes alone
    for (const routes of versioned) await v1.register(routes, options);
  });
  await app.register(mcpOverHttp, service);
  return app;
}

/** Takes the client's `X-Request-Id` if it is short and plain enough for a log line and no key, or makes a new id. */
function requestIdOf({ headers }: Pick<IncomingMessage, 'headers'>, redact: Redact): string {
  const given = headers['x-request-id'];
  const isTaken = typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) && redact(given) === given;
  return isTaken ? given : randomUUID();
}

/** Removes BASE_PATH from a URL that has it, so that the routes match whether or not the proxy in front removes it. */
function withoutBasePath(url: string, basePath: string): string {
  if (url === '*') return '/*'; // `*` names no resource (RFC 9110, 7.1), but the router would treat it as the root
  if (basePath === '' || !url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  if (rest.startsWith('/')) return rest;
  return rest === '' || rest.startsWith('?') ? `/${rest}` : url; // the dashboard redirects to the path with the slash
}
