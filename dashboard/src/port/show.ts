import { signal } from '@preact/signals';
import { go } from '../place.js';
import { nameSpot, type Spot } from '../registry/port-space.js';

/** Whether the details of a port cover the page, so that nothing beside them can be pressed. */
export const isCovering = signal(false);

let isFocusKept = false;

/** Shows the details of a port. */
export function showPort(spot: Spot): void {
  go({ port: nameSpot(spot) });
}

/** The same, and the focus stays where it is. On narrow screens, where the details cover the page, it goes to them. */
export function showPortAndKeepFocus(spot: Spot): void {
  isFocusKept = true;
  showPort(spot);
}

/** Whether the focus stays this time. */
export function takeFocusKept(): boolean {
  const was = isFocusKept;
  isFocusKept = false;
  return was;
}
