/** Something that can be gone to or done. */
export interface Command {
  /** No other command has it. */
  id: string;
  /** The heading under which it is shown. */
  group: string;
  name: string;
  /** Further words that find it. */
  keywords: string;
  /** Shown beside the name. */
  note?: string;
  run(): void;
}
