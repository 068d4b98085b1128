import type { Variable } from '../../client/env-file/texts.js';

/** The variables of a process, with some that are added or replaced. */
export function setVariables(present: NodeJS.ProcessEnv, added: readonly Variable[]): NodeJS.ProcessEnv {
  const variables = { ...present };
  for (const { name, value } of added) {
    // On Windows `Port` and `PORT` are the same variable, and of two the first in the alphabet would be taken.
    if (process.platform === 'win32') {
      for (const other of Object.keys(variables))
        if (other.toUpperCase() === name.toUpperCase()) delete variables[other];
    }
    variables[name] = value;
  }
  return variables;
}
