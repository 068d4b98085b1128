import { ConfigError, loadConfig } from '../../src/config.js';

/** The problems for which a configuration is refused; none if it is not refused. */
export function problemsOf(variables: Record<string, string>): string[] {
  try {
    loadConfig(variables);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
