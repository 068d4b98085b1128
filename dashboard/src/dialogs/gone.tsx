import { Message } from './message.js';

/** In place of a dialog about something that somebody has released, ended or deleted since. */
export function Gone({ what }: { what: string }) {
  return (
    <Message title="It is not there any more">
      <p>{what} is gone: somebody was faster, or the link to it is old.</p>
    </Message>
  );
}
