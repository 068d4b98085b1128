import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import type { Test } from 'tap';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config.js';
import type { Database } from '../../src/database/connect.js';
import { Metrics } from '../../src/metrics.js';
import type { OwnProcess } from '../../src/plugins/own-process.js';
import { createService, type ServiceOptions } from '../../src/service.js';

/**
 * Tests expect exact ports, whatever listens on the machine that they run on, and whatever other tests listen on. Those of
 * ports that somebody listens on say so.
 */
const SEALED_OFF = { AVOID_LISTENING: 'false' };

/** Builds the app as it is in production, on a real database. It is closed when the test ends. */
export async function makeApp(
  t: Test,
  database: Pick<Database, 'db'> & Partial<Pick<Database, 'poolCounts'>>,
  variables: Record<string, string> = {},
  ownProcess: OwnProcess | null = null,
  options: Pick<ServiceOptions, 'cloudflareUrl'> = {},
): Promise<FastifyInstance> {
  const metrics = new Metrics(database.poolCounts);
  const log = pino({ level: 'silent' });
  const service = createService({
    database,
    config: loadConfig({ ...SEALED_OFF, ...variables }),
    log,
    observer: metrics,
    ...options,
  });
  service.readiness.started();
  const app = await buildApp(service, metrics, ownProcess);
  t.teardown(() => app.close());
  return app;
}

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts what an answer holds, field by field
  body: any;
  headers: LightMyRequestResponse['headers'];
  text: string;
}

/** Returns a function `request('PUT', '/v1/…', body?, headers?)` that calls the app without a socket. */
export function requester(app: FastifyInstance) {
  return async (
    method: NonNullable<InjectOptions['method']>,
    url: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const response = await app.inject({
      method,
      url,
      headers: { host: 'localhost', ...headers },
      ...(body !== undefined && { payload: body as object }),
    });
    const isJson = response.body !== '' && /json/.test(String(response.headers['content-type']));
    return {
      status: response.statusCode,
      body: isJson ? response.json() : undefined,
      headers: response.headers,
      text: response.body,
    };
  };
}
