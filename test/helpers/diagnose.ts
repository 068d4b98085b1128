import type { Test } from 'tap';
import { callCli } from './cli.js';

interface Finding {
  check: string;
  level: string;
  detail: string;
}

/** Calls `doctor`, whose exit code has to say whether anything is wrong. */
export async function diagnose(t: Test, variables: Record<string, string>, folder: string, ...args: string[]) {
  const { code, stdout } = await callCli([...args, 'doctor', '--json'], { variables, folder });
  const { healthy, findings } = JSON.parse(stdout) as { healthy: boolean; findings: Finding[] };
  t.equal(code, healthy ? 0 : 1);
  return { code, of: (check: string) => findings.filter((one) => one.check === check) };
}
