import type { ComponentChildren } from 'preact';
import { closeDialog } from '../place.js';
import { Modal } from './form.js';

/** A dialog in which there is nothing to do: it says why. */
export function Message({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <Modal title={title} onClose={closeDialog}>
      {children}
      <div class="buttons">
        <button type="button" class="button primary" onClick={() => void closeDialog()}>
          Close
        </button>
      </div>
    </Modal>
  );
}
