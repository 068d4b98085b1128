import { createParser } from 'eventsource-parser';
import type { FeedEvent, Problem } from '../registry/api.js';

/** What a piece of the stream has brought. */
export interface Piece {
  events: FeedEvent[];
  /** The last place in the feed that it tells, behind which the next stream begins; null where it tells none. */
  last: string | null;
  /** Why the service ends the stream. It can come in one piece with events, which have happened all the same. */
  problem: Problem | null;
}

/** Reads a stream of events, piece by piece as its text comes. */
export function makeStreamReader(): (text: string) => Piece {
  let piece: Piece;
  const parser = createParser({
    onEvent({ event, data }) {
      if (event === 'problem') {
        piece.problem = JSON.parse(data);
        return;
      }
      piece.events.push(JSON.parse(data));
    },
  });
  let unfinished = '';
  return (text) => {
    piece = { events: [], last: null, problem: null };
    parser.feed(text);
    // The service tells the place without an event too, of which the parser does not say anything.
    const blocks = (unfinished + text).split('\n\n');
    unfinished = blocks.pop() ?? '';
    for (const block of blocks) piece.last = /^id: (.+)$/m.exec(block)?.[1] ?? piece.last;
    return piece;
  };
}
