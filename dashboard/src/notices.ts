import { signal } from '@preact/signals';

/** What was done last, and what takes it back. */
export interface Notice {
  /** One with the text of the one before is another one all the same, and is announced again. */
  id: number;
  text: string;
  undo?: () => Promise<void>;
}

/** It is shown, and announced to users of screen readers, until it is dismissed or the next one comes. */
export const notice = signal<Notice | null>(null);

let told = 0;

/**
 * Tells what was done. Around a dialog that is open nothing can be pressed, and screen readers pass over what changes
 * there, so that it is told when the dialog has closed.
 */
export function tell(text: string, undo?: () => Promise<void>): void {
  const next = { id: ++told, text, ...(undo !== undefined && { undo }) };
  const show = () => {
    notice.value = next;
  };
  const form = document.querySelector<HTMLDialogElement>('dialog.modal[open]');
  if (form === null) show();
  else form.addEventListener('close', show, { once: true });
}
