/** What one check has found. */
export interface Finding {
  /** The name of the check, for programs. */
  check: string;
  /** A warning is worth a thought, and is no reason to end with 1. */
  level: 'right' | 'warning' | 'wrong';
  /** A sentence for people. */
  detail: string;
  /** What to do, as one or more sentences. Null for what is right. */
  remedy: string | null;
}

export const right = (check: string, detail: string): Finding => ({ check, level: 'right', detail, remedy: null });
export const warning = (check: string, detail: string, remedy: string): Finding => {
  return { check, level: 'warning', detail, remedy };
};
export const wrong = (check: string, detail: string, remedy: string): Finding => {
  return { check, level: 'wrong', detail, remedy };
};
