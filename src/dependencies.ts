import type { Readiness } from './readiness.js';
import type { SharedStore } from './repositories/store.js';
import type { Auditor } from './services/auditor.js';
import type { Keyring } from './services/keyring.js';
import type { Prober } from './services/prober.js';

/** What routes work with. */
export interface Dependencies {
  /** A route gets to the registry through its caller's store alone. */
  stores: Pick<SharedStore, 'as' | 'isAvailable'>;
  keyring: Keyring;
  readiness: Readiness;
  /** In front of every path that an answer names: '' or a URL or path without a trailing slash. */
  publicUrl: string;
  reuseCooldownSeconds: number;
  requestTimeoutMs: number;
  prober: Prober;
  auditor: Auditor;
}
