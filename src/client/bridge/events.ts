import type { IncomingMessage } from 'node:http';
import { readLines } from './lines.js';

/** Of one line of an answer. The largest answer of a tool has a few MiB. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** Reads the data of server-sent events as they come (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export async function* readEvents(answer: IncomingMessage): AsyncGenerator<string> {
  let data: string[] = [];
  for await (const line of readLines(answer, MAX_LINE_BYTES)) {
    const field = line?.replace(/\r$/, '') ?? '';
    if (field === '') {
      if (data.length > 0) yield data.join('\n');
      data = [];
    } else if (field.startsWith('data:')) {
      data.push(field.slice(field.startsWith('data: ') ? 6 : 5));
    }
  }
}
