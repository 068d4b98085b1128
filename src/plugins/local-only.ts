import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors.js';
import { isLoopback } from '../schemas/host.js';

/**
 * Refuses requests whose `Host` is not a local name, and requests that a proxy passed on. It is used while no keys are
 * in force. Without it, a web page could reach the service through a host name of its own that resolves to 127.0.0.1
 * (DNS rebinding), and a proxy on this machine would make the service available to everybody whom the proxy serves.
 */
export function registerLocalOnly(app: FastifyInstance): void {
  app.addHook('onRequest', ({ headers }, _reply, done) => {
    for (const name in headers) {
      if (FORWARDED.test(name)) return done(refuseForwarded(name));
    }
    const host = hostOf(headers.host ?? '');
    if (isLoopback(host) || host.endsWith('.localhost')) return done();
    done(refuseHost(host));
  });
}

const FORWARDED = /^(x-)?forwarded($|-)/;

function refuseForwarded(name: string): AppError {
  return new AppError(
    'forbidden',
    `Without authentication this service answers no forwarded requests, and this one has ${name}. ` +
      'Ask it directly on this machine, or set ADMIN_API_KEY or ALLOW_UNAUTHENTICATED=true.',
  );
}

function refuseHost(host: string): AppError {
  return new AppError(
    'forbidden',
    `Without authentication this service answers only to local names, and not to ${JSON.stringify(host)}. ` +
      'Use http://localhost or http://127.0.0.1, or set ADMIN_API_KEY or ALLOW_UNAUTHENTICATED=true.',
  );
}

function hostOf(authority: string): string {
  return authority
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}
