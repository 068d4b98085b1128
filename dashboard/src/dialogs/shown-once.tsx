import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { CopyButton } from '../parts/copy.js';
import { closeDialog } from '../place.js';
import { Modal } from './form.js';

interface Props {
  title: string;
  /** What it is, such as `key`. */
  what: string;
  /** Null if the answer that had it was lost on the way, and the service has only repeated the rest. */
  secret: string | null;
  /** What it is good for, and who should have it. */
  children: ComponentChildren;
}

/** A secret that the service tells this once, and that therefore does not go away by a single Escape. */
export function ShownOnce({ title, what, secret, children }: Props) {
  const [isLeaving, setLeaving] = useState(false);
  const leave = () => (secret === null || isLeaving ? closeDialog() : setLeaving(true));
  return (
    <Modal title={title} onClose={leave}>
      {secret === null ? (
        <p class="warning">
          It was made, but the answer with its secret was lost on the way, and it is told only once. Take this one away,
          and make another.
        </p>
      ) : (
        <>
          <p class="warning">This is the only time that it is shown. Copy it now, to where it is needed.</p>
          <p class="secret">
            <code>{secret}</code>
          </p>
          <p>
            <CopyButton text={secret} label={`the ${what}`}>
              {`Copy the ${what}`}
            </CopyButton>
          </p>
          {children}
          {isLeaving && <p role="alert">It is gone for ever when this is closed: by Escape once more, or by Done.</p>}
        </>
      )}
      <div class="buttons">
        <button type="button" class="button primary" onClick={() => void closeDialog()}>
          Done
        </button>
      </div>
    </Modal>
  );
}
