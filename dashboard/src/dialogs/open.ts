import { signal } from '@preact/signals';
import type { Allocation, Reservation } from '../registry/api.js';

/** A dialog and what it is about. Only one is open at a time. */
export type OpenDialog =
  | { kind: 'get'; project?: string; port?: number }
  | { kind: 'reserve'; project?: string; port?: number }
  | { kind: 'describe'; allocation: Allocation }
  | { kind: 'release'; allocation: Allocation }
  | { kind: 'claim'; reservation: Reservation }
  | { kind: 'cancel'; reservation: Reservation };

export const openDialog = signal<OpenDialog | null>(null);

/** What was done last. It is shown, and announced to users of screen readers. */
export const notice = signal<string | null>(null);

export function closeDialog(): void {
  openDialog.value = null;
}
