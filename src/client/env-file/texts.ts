import { ClientFailure } from '../failure.js';

/** A variable of the environment of processes. Its value is one line. */
export interface Variable {
  name: string;
  value: string;
}

/** Needs no quotes in a shell or in a file of variables. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]*$/;

/**
 * Lines as files of variables have them (`.env`). Their readers, which are dotenv, Node, Docker Compose and shells,
 * agree on single quotes, between which everything stands for itself, and on double quotes around what is plain else.
 * @throws ClientFailure usage, for a value that they would read differently
 */
export const toDotenvLines = (variables: readonly Variable[]): string[] =>
  variables.map(({ name, value }) => {
    if (PLAIN.test(value)) return `${name}=${value}`;
    if (!value.includes("'")) return `${name}='${value}'`;
    if (!/["$\\`]/.test(value)) return `${name}="${value}"`;
    throw new ClientFailure(
      'usage',
      `The value of ${name} has a single quote and one of " $ \\ \`, which programs read differently in a .env file.`,
      'Use --format export or --format json.',
    );
  });

/** Lines for a POSIX shell: `eval "$(pa env --format export)"`. */
export const toExportLines = (variables: readonly Variable[]): string[] =>
  variables.map(({ name, value }) => {
    const isPlain = value !== '' && PLAIN.test(value);
    return `export ${name}=${isPlain ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`}`;
  });

/** By name. All values are texts, as those of a process are. */
export const toRecord = (variables: readonly Variable[]): Record<string, string> =>
  Object.fromEntries(variables.map(({ name, value }) => [name, value]));
