import { readFileSync } from 'node:fs';

/** Variables that may stand in a file, named by the variable with `_FILE` behind it: what is in the environment, many can read. */
const SECRET_VARIABLES = ['DATABASE_URL', 'ADMIN_API_KEY'];

/** Puts the content of secret files where the variables themselves would be, less the line's end. */
export function readSecretFiles(set: Record<string, string>): { set: Record<string, string>; problems: string[] } {
  const whole = { ...set };
  const problems: string[] = [];
  for (const name of SECRET_VARIABLES) {
    const path = set[`${name}_FILE`];
    if (path === undefined) continue;
    if (set[name] !== undefined) {
      problems.push(`${name}_FILE: ${name} is set too; set one of them`);
      continue;
    }
    try {
      const content = readFileSync(path, 'utf8').trim();
      if (content === '') problems.push(`${name}_FILE: ${JSON.stringify(path)} is empty`);
      else whole[name] = content;
    } catch (error) {
      problems.push(`${name}_FILE: ${(error as Error).message}`);
    }
  }
  return { set: whole, problems };
}
