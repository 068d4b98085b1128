import { useEffect, useState } from 'preact/hooks';
import { useEventsOf } from '../../feed/events-of.js';
import { formatClock, formatCount, plural } from '../../format.js';
import { CopyButton } from '../../parts/copy.js';
import { useLoaded } from '../../parts/loaded.js';
import { api, receiveRefusal } from '../../registry/api.js';
import { FORMATS, type Wanted } from './formats.js';

/** Of a longer text the beginning is shown: browsers lay out megabytes in one element for seconds. */
const MOST_SHOWN = 50_000;
/** A longer text is not read again at each change, but when somebody asks for it: the service makes two at a time. */
const MOST_FOLLOWED = 200_000;
/** The browser has begun to write the file by then. */
const DOWNLOAD_MS = 10_000;

interface Exported {
  text: string;
  mediaType: string;
  /** Hostnames that several allocations have, and that are not routed to all of them. */
  duplicates: string | null;
  at: Date;
}

/** The text as the service serves it to other programs. */
export function Preview({ wanted }: { wanted: Wanted }) {
  const changes = useEventsOf('allocation');
  const [wantedAt, setWantedAt] = useState(changes);
  const { data, error } = useLoaded(() => readExport(wanted), [wantedAt]);
  const isFollowed = data === null || data.text.length <= MOST_FOLLOWED;
  useEffect(() => {
    if (isFollowed) setWantedAt(changes);
  }, [changes, isFollowed]);
  return (
    <>
      <div role="alert">{error !== null && <p class="refusal">{error}</p>}</div>
      {data === null && error === null && <p class="quiet">Reading…</p>}
      {data !== null && error === null && (
        <div class="export">
          <div class="export-head">
            <p class="quiet">{describe(data)}</p>
            {wantedAt !== changes && (
              <button type="button" class="link" onClick={() => setWantedAt(changes)}>
                It has changed since: read it again
              </button>
            )}
            <div class="view-actions">
              <CopyButton text={data.text} label="the export" />
              <button type="button" class="button" onClick={() => download(FORMATS[wanted.format].file, data)}>
                Download
              </button>
            </div>
          </div>
          {data.duplicates !== null && (
            <p class="warning">
              Some of the services that want these hostnames are not reached by them, because others had them first:{' '}
              {data.duplicates}.
            </p>
          )}
          <Text text={data.text} />
        </div>
      )}
    </>
  );
}

function Text({ text }: { text: string }) {
  if (text.trim() === '') return <p class="nothing">Nothing is held there, so that there is nothing in it.</p>;
  const shown = text.length <= MOST_SHOWN ? text : text.slice(0, text.lastIndexOf('\n', MOST_SHOWN) + 1);
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse scrolls it with the arrow keys. */}
      <section class="export-text" aria-label="The text" tabIndex={0}>
        <pre dir="ltr">{shown}</pre>
      </section>
      {shown !== text && (
        <p class="quiet">
          These are the first {plural(countLines(shown), 'line')} of {formatCount(countLines(text))}. What is copied and
          downloaded has all of them.
        </p>
      )}
    </>
  );
}

async function readExport({ format, ...query }: Wanted): Promise<Exported> {
  const { data, error, response } = await api.GET('/v1/exports/{format}', {
    params: { path: { format }, query },
    parseAs: 'text',
  });
  if (!response.ok) throw receiveRefusal(response.status, error);
  const mediaType = response.headers.get('content-type') ?? 'text/plain';
  return { text: data ?? '', mediaType, duplicates: response.headers.get('x-duplicate-hostnames'), at: new Date() };
}

function describe({ text, mediaType, at }: Exported): string {
  return `${plural(countLines(text), 'line')}, ${mediaType.replace(/;.*/, '')}, as of ${formatClock(at)}.`;
}

function countLines(text: string): number {
  return text.split('\n').length - (text.endsWith('\n') || text === '' ? 1 : 0);
}

function download(name: string, { text, mediaType }: Exported): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: mediaType }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), DOWNLOAD_MS);
}
