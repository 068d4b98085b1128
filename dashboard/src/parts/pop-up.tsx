import type { ComponentChildren } from 'preact';
import { useId, useRef, useState } from 'preact/hooks';

interface Props {
  /** What the button is called where it shows only a sign. */
  label?: string;
  /** What the button shows. */
  button: ComponentChildren;
  class?: string;
  /** Made when it is opened. @param close also gives the focus back to the button */
  children(close: () => void): ComponentChildren;
}

/** A button with a small box that opens beside it, and closes by Escape or by a click elsewhere. */
export function PopUp({ label, button, class: name = 'button', children }: Props) {
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const [isOpen, setOpen] = useState(false);
  const close = () => box.current?.hidePopover();
  return (
    <>
      <button type="button" class={name} aria-label={label} aria-expanded={isOpen} popovertarget={id}>
        {button}
      </button>
      <div
        ref={box}
        id={id}
        popover="auto"
        class="pop-up"
        onBeforeToggle={(event) => setOpen(event.newState === 'open')}
      >
        {isOpen && children(close)}
      </div>
    </>
  );
}
