import { clearLine, cursorTo } from 'node:readline';

const BAR_WIDTH = 30;

/** A bar on the last line of the terminal. Nothing is shown if stderr is none. */
export interface Progress {
  show(done: number, total: number): void;
  /** Removes the bar, so that what is written next stands in its place. */
  clear(): void;
}

export function openProgress(label: string, stream: NodeJS.WriteStream = process.stderr): Progress {
  let isShown = false;
  const clear = () => {
    if (!isShown) return;
    cursorTo(stream, 0);
    clearLine(stream, 0);
    isShown = false;
  };
  return {
    clear,
    show(done, total) {
      if (!stream.isTTY || total === 0) return;
      clear();
      const filled = Math.round((done / total) * BAR_WIDTH);
      const bar = '#'.repeat(filled) + '-'.repeat(BAR_WIDTH - filled);
      // A line that wraps could not be removed again.
      stream.write(`${label} [${bar}] ${done} of ${total} ports`.slice(0, Math.max(stream.columns - 1, 0)));
      isShown = true;
    },
  };
}
