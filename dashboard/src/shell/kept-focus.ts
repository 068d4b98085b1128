/**
 * Gives the focus to the content when the element that had it is gone, as the button of a row whose thing was deleted.
 * Browsers give it to the body, and who uses the keyboard begins at the top of the page again.
 *
 * Whoever knows of a better place is faster, and nothing is left to do here: a dialog gives the focus back to what has
 * opened it (`Modal`, `PortPanel`), a list to what takes the place of what is gone (`useKeptFocus`), and the details of a port to their heading (`port/details.tsx`).
 */
export function keepFocus(): void {
  let focused: Element | null = null;
  addEventListener('focusin', ({ target }) => {
    focused = target instanceof Element ? target : null;
  });
  new MutationObserver(() => {
    if (focused === null || focused.isConnected || document.activeElement !== document.body) return;
    focused = null;
    document.getElementById('content')?.focus({ preventScroll: true });
  }).observe(document.body, { childList: true, subtree: true });
}
