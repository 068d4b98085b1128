import { signal } from '@preact/signals';
import { dialog } from '../place.js';
import { keyRefusal } from '../registry/api.js';
import { readStored, store } from '../storage.js';

/** Whether the command palette is open. It is not in the address: what is chosen in it is. */
export const isPaletteOpen = signal(false);

/** What was typed into a form would be lost if a command left it, so that the palette stays closed above one. */
const isFormOpen = () => dialog.value !== '' || keyRefusal.value !== null;

export function openPalette(): void {
  if (!isFormOpen()) isPaletteOpen.value = true;
}

/** Closes it. The dialog gives the focus back to where it was, for which it has to be on the page still. */
export function closePalette(): void {
  document.querySelector<HTMLDialogElement>('dialog.palette')?.close();
  isPaletteOpen.value = false;
}

const STORED = 'port-allocator-slash';

/**
 * Whether `/` opens the palette. It can be switched off, because who speaks to the computer, or hits keys by accident,
 * must not set off what a single character does (WCAG 2.1.4).
 */
export const isSlashOn = signal(readStored('localStorage', STORED) !== 'off');

export function switchSlash(): void {
  isSlashOn.value = !isSlashOn.value;
  store('localStorage', STORED, isSlashOn.value ? null : 'off');
}

/** Opens the palette by `/`, unless somebody types, and opens or closes it by Ctrl-K or Cmd-K. */
export function onShortcut(event: KeyboardEvent): void {
  const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
  const isControlK = key.toLowerCase() === 'k' && ctrlKey !== metaKey && !altKey && !shiftKey;
  const isSlash = key === '/' && isSlashOn.value && !ctrlKey && !metaKey && !altKey && !isTyping(event.target);
  if (!isControlK && !isSlash) return;
  event.preventDefault(); // the browser's own search
  if (isPaletteOpen.value) closePalette();
  else openPalette();
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || target.matches('input, select, textarea'));
