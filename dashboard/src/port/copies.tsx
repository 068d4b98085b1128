import { CopyButton } from '../parts/copy.js';
import type { Held } from '../registry/api.js';
import { commandLineOf, curlLineOf, dotenvLineOf, urlOfService } from '../registry/copies.js';

/** What there is to copy of a port that is held: each text, and a button that puts it onto the clipboard. */
export function Copies({ held }: { held: Held }) {
  const texts: [name: string, label: string, text: string | null][] = [
    ['Number', 'the number', String(held.port)],
    ['URL', 'the URL', urlOfService(held)],
    ['.env', 'the .env line', dotenvLineOf(held)],
    ['curl', 'the curl line', curlLineOf(held)],
    ['pa', 'the pa line', commandLineOf(held)],
  ];
  return (
    <dl class="copies">
      {texts.map(
        ([name, label, text]) =>
          text !== null && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <code title={text}>{text}</code>
                <CopyButton text={text} label={label} />
              </dd>
            </div>
          ),
      )}
    </dl>
  );
}
