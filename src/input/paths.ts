import { findClosest } from './closest.js';

const NAMES = ['project', 'service', 'environment'];

/**
 * Finds the names that contain a slash, in a path that no route has: in `/v1/projects/shop/services/feature/cart` it is
 * the service, `feature/cart`. If the path can be read in several ways, the one with the fewest slashes in names counts.
 * @param routes paths with parameters, such as `/v1/projects/:project/services/:service`
 * @returns for each such name the parameter that it was meant for; empty if the path cannot be read so
 */
export function findSlashedNames(path: string, routes: readonly string[]): { parameter: string; value: string }[] {
  const readings = routes
    .filter(isReadable)
    .map((route) => readNames(path, route))
    .filter((names) => names !== null);
  const countSlashes = (names: { value: string }[]) => names.flatMap(({ value }) => value.split('/').slice(1)).length;
  const [best = []] = readings.sort((a, b) => countSlashes(a) - countSlashes(b));
  return best.filter(({ value }) => value.includes('/'));
}

/** Whether all parameters are names, and the first is followed by something that shows where it ends. */
function isReadable(route: string): boolean {
  const parameters = [...route.matchAll(/:(\w+)/g)].map(([, parameter]) => parameter as string);
  return parameters.every((parameter) => NAMES.includes(parameter)) && /:\w+\/\w/.test(route);
}

function readNames(path: string, route: string): { parameter: string; value: string }[] | null {
  const pattern = route.replace(/[.-]/g, '\\$&').replace(/:(\w+)/g, '(?<$1>.+?)');
  const groups = new RegExp(`^${pattern}$`).exec(path)?.groups;
  if (groups === undefined) return null;
  return Object.entries(groups).map(([parameter, value]) => ({ parameter, value: decodeURIComponent(value) }));
}

/**
 * The path that was most likely meant by one that no route has: with `/v1` before it, without a slash at its end, and
 * with its words spelled as in a route (`/project/shop/service/api` is `/v1/projects/shop/services/api`).
 * @returns null if there is no such path
 */
export function findMeantPath(path: string, routes: readonly string[]): string | null {
  const parts = path.split('/').filter(Boolean);
  if (parts[0]?.toLowerCase() === 'v1') parts.shift();
  const readings = routes
    .filter((route) => route.startsWith('/v1/'))
    .map((route) => correctWords(parts, route.split('/').slice(2)))
    .filter((reading) => reading !== null);
  const [best] = readings.sort((a, b) => a.corrected - b.corrected);
  const meant = best && ['/v1', ...best.parts].join('/');
  return meant === undefined || meant === path ? null : meant;
}

/** @returns the parts of a path with the words of a route, and how many differed; null if one is not similar */
function correctWords(parts: string[], route: string[]): { parts: string[]; corrected: number } | null {
  if (parts.length !== route.length) return null;
  let corrected = 0;
  for (const [i, word] of route.entries()) {
    if (word.startsWith(':') || word === parts[i]) continue;
    if (findClosest(parts[i] as string, [word], 1).length === 0) return null;
    corrected += 1;
  }
  return { parts: parts.map((part, i) => (route[i]?.startsWith(':') ? part : (route[i] as string))), corrected };
}
