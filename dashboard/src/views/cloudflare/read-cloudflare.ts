import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { components } from '../../../generated/contract.js';
import { useEventsOf } from '../../feed/events-of.js';
import { useLoaded } from '../../parts/loaded.js';
import { answerOf, api, UNLIMITED } from '../../registry/api.js';

export type CloudflareStatus = components['schemas']['CloudflareStatus'];
export type CloudflarePlan = components['schemas']['CloudflarePlan'];
export type CloudflareChange = components['schemas']['CloudflareChange'];
export type CloudflareConflict = components['schemas']['CloudflareConflict'];

/** Counts how often this page has applied a plan: no event tells of it. */
export const applied = signal(0);

/**
 * The service makes a pass unasked, of which no event tells either. Its answer about that asks nothing of Cloudflare.
 */
const READ_EVERY_MS = 15_000;

/** How the tunnel follows; read again and again while the page is seen. */
export function useStatus() {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') setCount((before) => before + 1);
    }, READ_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return useLoaded(readStatus, [count, applied.value, useEventsOf('allocation')]);
}

export const readStatus = (): Promise<CloudflareStatus> => answerOf(api.GET('/v1/cloudflare'));

/**
 * Has the service ask Cloudflare what would have to be changed. The first pass of some dozens of hostnames takes longer
 * than any other answer of the service. @throws Refusal, or NoAnswer
 */
export const readPlan = (): Promise<CloudflarePlan> => answerOf(api.GET('/v1/cloudflare/plan', UNLIMITED));

/** @returns what was changed. @throws Refusal, or NoAnswer */
export async function applyPlan(): Promise<CloudflarePlan> {
  try {
    return await answerOf(api.POST('/v1/cloudflare/apply', UNLIMITED));
  } finally {
    applied.value++; // also where it has failed: the status says why, and some of it may be done
  }
}
