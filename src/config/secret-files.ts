import { readFileSync } from 'node:fs';
import { checkPath } from '../input/data-dir.js';

/**
 * Variables whose value can be in a file instead, for example at the path in DATABASE_URL_FILE. The environment of a
 * process can be read in many places: by its children, in crash reports, in the description of a container.
 */
const SECRET_VARIABLES = ['DATABASE_URL', 'ADMIN_API_KEY', 'CLOUDFLARE_API_TOKEN'];

/** Sets each variable whose value is in a file to the content of that file, without white space at its ends. */
export function readSecretFiles(given: Record<string, string>): { values: Record<string, string>; problems: string[] } {
  const values = { ...given };
  const problems: string[] = [];
  for (const name of SECRET_VARIABLES) {
    const path = given[`${name}_FILE`];
    if (path === undefined) continue;
    if (given[name] !== undefined) {
      problems.push(`${name}_FILE: ${name} is set too; set one of them`);
      continue;
    }
    const wrongPath = checkPath(`${name}_FILE`, path);
    problems.push(...wrongPath);
    if (wrongPath.length > 0) continue;
    try {
      const content = readFileSync(path, 'utf8').trim();
      if (content === '') problems.push(`${name}_FILE: ${JSON.stringify(path)} is empty`);
      else values[name] = content;
    } catch (error) {
      problems.push(`${name}_FILE: ${(error as Error).message}`);
    }
  }
  return { values, problems };
}
