import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Writes lines, and waits where the reader is slower than the writer, so that what is not read yet stays small. */
export class Output {
  #draining: Promise<unknown> | null = null;

  constructor(private readonly stream: Writable) {}

  /** Resolves when more can be written. */
  async write(line: string): Promise<void> {
    if (!this.stream.write(`${line}\n`)) {
      this.#draining ??= once(this.stream, 'drain').finally(() => {
        this.#draining = null;
      });
    }
    await this.ready();
  }

  async ready(): Promise<void> {
    await this.#draining;
  }

  /** Resolves when everything has been handed to the operating system. */
  async flushed(): Promise<void> {
    if (this.stream.writableLength > 0) await new Promise((resolve) => this.stream.write('', resolve));
  }
}
