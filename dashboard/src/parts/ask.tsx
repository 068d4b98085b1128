import { openDialog } from '../place.js';

interface Props {
  /** The dialog that it opens, and what that is about. */
  kind: string;
  about: string;
  name: string;
  /** Its name for users of screen readers, where others of the same name stand beside it. */
  label?: string;
  isDangerous?: boolean;
}

/** A button that opens a dialog. */
export function Ask({ kind, about, name, label, isDangerous = false }: Props) {
  return (
    <button
      type="button"
      class={isDangerous ? 'button danger-quiet' : 'button'}
      aria-label={label}
      onClick={() => openDialog(kind, about)}
    >
      {name}
    </button>
  );
}
