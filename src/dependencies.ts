import type { Readiness } from './readiness.js';
import type { Store } from './repositories/store.js';
import type { Auditor } from './services/auditor.js';
import type { Prober } from './services/prober.js';

/** What routes work with. */
export interface Dependencies {
  store: Store;
  readiness: Readiness;
  /** In front of every path that an answer names: '' or a URL or path without a trailing slash. */
  publicUrl: string;
  reuseCooldownSeconds: number;
  requestTimeoutMs: number;
  prober: Prober;
  auditor: Auditor;
}
