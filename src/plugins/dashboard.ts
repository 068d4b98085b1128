import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.js';
import { AppError } from '../errors.js';
import { mediaTypes } from '../media-types.js';
import { packageRoot } from '../package-root.js';
import { makeDocument, sendDocument } from './documents.js';

const FOLDER = join(packageRoot, 'dist', 'dashboard');

const MEDIA_TYPES: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * The page may load its own files and call this service. Everything else is forbidden, inline scripts and styles too.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE_HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
};

/**
 * Serves the dashboard at `/` and its files at `/assets/`. They are read once, at the start, because a later build
 * replaces the files on disk while this service still runs.
 * @throws when the dashboard was not built
 */
export function registerDashboard(
  app: FastifyInstance,
  { basePath, publicUrl }: Pick<Config, 'basePath' | 'publicUrl'>,
): void {
  const page = makeDocument(mediaTypes.html, readFileSync(join(FOLDER, 'index.html')));
  const assets = new Map(
    readdirSync(join(FOLDER, 'assets')).map((name) => [name, readFileSync(join(FOLDER, 'assets', name))]),
  );

  app.get('/', { schema: { hide: true }, config: { produces: [mediaTypes.html] } }, (request, reply) => {
    // The page names its files relative to its own address. At `/ports` a browser would look for `/assets/…`, and not
    // for `/ports/assets/…`.
    const [path, ...query] = request.originalUrl.split('?');
    if (basePath !== '' && path === basePath) {
      const to = [`${publicUrl ?? basePath}/`, ...query].join('?');
      return reply.redirect(app.redact(to) === to ? to : `${publicUrl ?? basePath}/`, 308);
    }
    return sendDocument(request, reply.headers(PAGE_HEADERS), page);
  });

  app.get<{ Params: { name: string } }>('/assets/:name', { schema: { hide: true } }, (request, reply) => {
    const { name } = request.params;
    const asset = assets.get(name);
    if (!asset) throw new AppError('not-found', 'The dashboard has no such file; load the page again.');
    // The name contains a hash of the content, so a file never changes under its name.
    reply.header('cache-control', 'public, max-age=31536000, immutable');
    return reply.type(MEDIA_TYPES[extname(name)] ?? 'application/octet-stream').send(asset);
  });
}
