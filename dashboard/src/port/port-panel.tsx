import { useLayoutEffect, useRef } from 'preact/hooks';
import { NoticeBar } from '../parts/notice-bar.js';
import { go } from '../place.js';
import { chosen } from '../registry/filters.js';
import { nameSpot } from '../registry/port-space.js';
import { Boundary, FailedView } from '../shell/boundary.js';
import { Details } from './details.js';
import { isCovering, takeFocusKept } from './show.js';

/**
 * On screens of this width the details are beside the view; on narrower ones they cover it. As in styles/layout.css.
 */
const WIDE_SCREEN = '(min-width: 70rem)';

const close = () => go({ port: null });

/** Everything about the chosen port, beside what else is shown. */
export function PortPanel() {
  const spot = chosen.value;
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = spot !== null;
  const name = spot === null ? '' : nameSpot(spot);

  useLayoutEffect(() => {
    const element = dialog.current;
    if (!element || !isOpen) return;
    const opener = document.activeElement;
    const stop = keepOpen(element);
    return () => {
      const hadFocus = element.contains(document.activeElement) || document.activeElement === document.body;
      stop();
      if (hadFocus) returnFocus(opener);
    };
  }, [isOpen]);
  useLayoutEffect(() => {
    const element = dialog.current;
    const isFocusKept = takeFocusKept() && element?.matches(':modal') === false;
    if (!isFocusKept) element?.querySelector('h2')?.focus({ preventScroll: true });
    element?.scrollTo({ top: 0 });
  }, [name]);

  if (spot === null) return null;
  return (
    <aside aria-label="Port">
      <dialog
        ref={dialog}
        class="details"
        aria-labelledby="details"
        onCancel={(event) => {
          event.preventDefault();
          close();
        }}
      >
        <button type="button" class="close" aria-label="Close the details" onClick={close}>
          <span aria-hidden="true" />
        </button>
        <Boundary key={name} failed={<FailedView />}>
          <Details spot={spot} />
        </Boundary>
        <NoticeBar isHere={isCovering.value} />
      </dialog>
    </aside>
  );
}

/** Shows the dialog as it goes with the width of the screen, which may change, and closes it on Escape. */
function keepOpen(dialog: HTMLDialogElement): () => void {
  const wide = matchMedia(WIDE_SCREEN);
  const show = () => {
    dialog.close();
    if (wide.matches) dialog.show();
    else dialog.showModal();
    isCovering.value = !wide.matches;
  };
  // A modal dialog gets `cancel` from the browser. Where a field or another dialog has the focus, Escape is for that.
  const onKeyDown = ({ key, target, defaultPrevented }: KeyboardEvent) => {
    const isElsewhere = target instanceof Element && target.closest('input, select, textarea, :modal') !== null;
    if (key === 'Escape' && !defaultPrevented && !isElsewhere && wide.matches) close();
  };
  const { activeElement } = document;
  show();
  // Showing it has moved the focus into it, which is decided elsewhere.
  if (wide.matches && activeElement instanceof HTMLElement) activeElement.focus({ preventScroll: true });
  wide.addEventListener('change', show);
  document.addEventListener('keydown', onKeyDown);
  return () => {
    wide.removeEventListener('change', show);
    document.removeEventListener('keydown', onKeyDown);
    dialog.close();
    isCovering.value = false;
  };
}

/** To where it was, or to the content, if that is gone, as the link in a row that is not there any more. */
function returnFocus(opener: Element | null): void {
  const isThere = opener instanceof HTMLElement && opener.isConnected && opener !== document.body;
  (isThere ? opener : document.querySelector<HTMLElement>('main'))?.focus({ preventScroll: true });
}
