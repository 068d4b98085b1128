import pLimit from 'p-limit';
import { callerLeft } from '../../refusals.js';

/** An export of up to this many characters is held as a whole, which an ETag needs. A larger one is streamed. */
const WHOLE_CHARACTERS = 1024 * 1024;
/** How many exports are read and rendered at a time. The others wait, and those that wait for a slow reader are none. */
const AT_A_TIME = 2;

export interface Rendered {
  /** All of the text, or its beginning. */
  text: string;
  /** The pieces behind `text`; null if there are none. */
  rest: AsyncGenerator<string> | null;
}

/** Renders exports, so that many large ones at a time need little memory. */
export class Renderer {
  readonly #slots = pLimit(AT_A_TIME);

  /**
   * @param pieces of the text
   * @param signal is aborted when the caller has left
   * @throws AppError overloaded when the caller has left; what `pieces` throws
   */
  begin(pieces: AsyncGenerator<string>, signal: AbortSignal): Promise<Rendered> {
    return this.#slots(async () => {
      const read: string[] = [];
      for (let length = 0; length < WHOLE_CHARACTERS; ) {
        if (signal.aborted) throw callerLeft();
        const { done, value } = await pieces.next();
        if (done) return { text: read.join(''), rest: null };
        read.push(value);
        length += value.length;
      }
      return { text: read.join(''), rest: this.#goOn(pieces) };
    });
  }

  /** Takes a slot for each piece, and none while the reader takes its time. */
  async *#goOn(pieces: AsyncGenerator<string>): AsyncGenerator<string> {
    for (;;) {
      const { done, value } = await this.#slots(() => pieces.next());
      if (done) return;
      yield value;
    }
  }
}
