import { useState } from 'preact/hooks';

const SHOWN_MS = 2000;
/** A longer text is no tip to read, and an export can have megabytes. */
const LONGEST_TIP = 500;

/** A button that puts a text onto the clipboard. */
export function CopyButton({ text, label, children = 'Copy' }: { text: string; label: string; children?: string }) {
  const [state, setState] = useState<'ready' | 'copied' | 'failed'>('ready');
  const copy = async () => {
    setState((await copyText(text)) ? 'copied' : 'failed');
    setTimeout(() => setState('ready'), SHOWN_MS);
  };
  return (
    <>
      <button
        type="button"
        class="copy"
        aria-label={`Copy ${label}`}
        title={text.length > LONGEST_TIP ? undefined : text}
        onClick={() => void copy()}
      >
        {{ ready: children, copied: 'Copied', failed: 'Not copied' }[state]}
      </button>
      {/* Not in the button: what is in one is its name, and not announced. */}
      <span class="visually-hidden" role="status">
        {{ ready: '', copied: `${label} copied`, failed: `${label} not copied` }[state]}
      </span>
    </>
  );
}

/** @returns whether it was copied */
export async function copyText(text: string): Promise<boolean> {
  try {
    // Browsers have it only over HTTPS and on localhost.
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else return copyBySelection(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** The old way, which works over HTTP on other hosts too. */
function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea');
  const focused = document.activeElement;
  area.value = text;
  area.className = 'visually-hidden';
  // In an open dialog nothing outside of it can be selected.
  (document.querySelector('dialog:modal') ?? document.body).append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
