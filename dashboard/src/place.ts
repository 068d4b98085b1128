import { computed, type ReadonlySignal, signal } from '@preact/signals';

/**
 * What the page shows, as it stands in the address bar: whoever opens the address sees the same, and *back* goes back.
 * It is in the query of `/`, which the service ignores, so that it works under every BASE_PATH.
 */
const parameters = signal(new URLSearchParams(location.search));

addEventListener('popstate', () => {
  parameters.value = new URLSearchParams(location.search);
});

/** Changes of the address, by parameter; null or '' takes a parameter out of it. */
export type Change = Record<string, string | null>;

/** The address with these changes, for links. */
export function addressWith(change: Change): string {
  return addressOf(new URLSearchParams(parameters.value), change);
}

/** The address of a view, without anything of what is shown now but the host and the protocol. */
export function addressOfView(view: string, change: Change = {}): string {
  const kept = ['host', 'protocol'].map((name) => [name, parameters.value.get(name) ?? '']);
  return addressOf(new URLSearchParams(), {
    view: view === 'services' ? null : view,
    ...Object.fromEntries(kept),
    ...change,
  });
}

function addressOf(next: URLSearchParams, change: Change): string {
  for (const [name, value] of Object.entries(change)) {
    if (value === null || value === '') next.delete(name);
    else next.set(name, value);
  }
  const query = next.toString();
  return query === '' ? location.pathname : `${location.pathname}?${query}`;
}

/** Goes there. What is typed letter by letter replaces the entry in the history; everything else makes a new one. */
export function go(change: Change, how: 'push' | 'replace' = 'push'): void {
  goTo(addressWith(change), how);
}

/** Goes to an address of this page. */
export function goTo(address: string, how: 'push' | 'replace' = 'push', state: unknown = null): void {
  if (address === location.pathname + location.search) return;
  if (how === 'push') history.pushState(state, '', address);
  else history.replaceState(state, '', address);
  parameters.value = new URLSearchParams(location.search);
}

/** One parameter of the address; '' if it is not there. */
export function parameter(name: string): ReadonlySignal<string> {
  return computed(() => parameters.value.get(name) ?? '');
}

/** What a click on a link of this page does: it goes there, unless it was meant for another tab or window. */
export function followLink(event: MouseEvent): void {
  const { pathname, search } = event.currentTarget as HTMLAnchorElement;
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  goTo(pathname + search);
}

/** The dialog that is open, such as `release:ID`: its kind, and what it is about. */
export const dialog = parameter('dialog');

const DIALOG = { isDialog: true };

export function openDialog(kind: string, about = ''): void {
  goTo(addressWith({ dialog: about === '' ? kind : `${kind}:${about}` }), 'push', DIALOG);
}

let closing: Promise<void> | null = null;

/**
 * Closes the dialog as *back* does, so that going back later does not open it again. Asked again before it is closed,
 * as by an Escape that is held down, it does not go back twice.
 */
export function closeDialog(): Promise<void> {
  closing ??= goBackFromDialog().finally(() => {
    closing = null;
  });
  return closing;
}

async function goBackFromDialog(): Promise<void> {
  if (history.state?.isDialog !== true) return go({ dialog: null }, 'replace'); // the page was opened with the dialog
  const closed = new Promise((resolve) => addEventListener('popstate', resolve, { once: true }));
  history.back();
  await closed;
}
