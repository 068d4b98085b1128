import { setTimeout as sleep } from 'node:timers/promises';
import type { CloudflareConfig } from '../../config/cloudflare.js';
import type { Log } from '../../database/connect.js';
import type { TunnelState } from '../../repositories/events/cloudflare.js';
import type { FeedEvent } from '../../repositories/events/events.js';
import type { EventFeed } from '../events/feed.js';
import type { TunnelSync } from './tunnel-sync.js';

/** How often the tunnel is compared with the registry, because others may have changed it. */
const INTERVAL_SECONDS = 300;
/** How often a replica looks whether it is time for a pass. */
const TICK_MS = 2000;
/** Changes that follow one another closely are brought to Cloudflare together. */
const GATHER_MS = 500;

export interface BackgroundParts {
  config: CloudflareConfig | null;
  feed: EventFeed;
  log: Log;
}

/**
 * Makes a pass after each change of a hostname and every five minutes, until `signal` is aborted. It begins once somebody
 * has called apply, so that the first plan can be seen before anything is changed. All replicas run this,
 * and one makes the pass: what was done, up to which event, and when the next attempt may be made is in the database. So
 * another replica does what one that has died has left.
 */
export async function runTunnelSync(sync: TunnelSync, parts: BackgroundParts, signal: AbortSignal): Promise<void> {
  const { config, feed, log } = parts;
  if (config === null) return;
  const state = await sync.readState().catch(() => null);
  const seen = { position: 0, wake: () => {} };
  const following = follow(feed, state?.position ?? 0, seen, log, signal);
  while (!signal.aborted) {
    try {
      if (isDue(await sync.readState(), seen.position)) await sync.passUnlessBusy(signal);
    } catch (error) {
      if (!signal.aborted)
        log.warn({ reason: (error as Error).message }, 'The Cloudflare tunnel could not be brought up to date');
    }
    const woken = new Promise<void>((resolve) => {
      seen.wake = resolve;
    });
    const tick = new AbortController();
    await Promise.race([
      woken,
      sleep(TICK_MS, undefined, { signal: AbortSignal.any([signal, tick.signal]) }).catch(() => {}),
    ]);
    tick.abort();
    await sleep(GATHER_MS, undefined, { signal }).catch(() => {});
  }
  await following;
}

function isDue(state: TunnelState | null, position: number): boolean {
  if (state === null || state.followingSince === null || state.secondsUntilRetry > 0) return false;
  const { failures, secondsSinceSuccess } = state;
  return failures > 0 || state.position < position || (secondsSinceSuccess ?? INTERVAL_SECONDS) >= INTERVAL_SECONDS;
}

async function follow(
  feed: EventFeed,
  from: number,
  seen: { position: number; wake: () => void },
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  for (let position = from; !signal.aborted; ) {
    try {
      for await (const page of feed.follow(position, signal)) {
        position = page.at(-1)?.position ?? position;
        const last = page.findLast(concernsHostname);
        if (last === undefined) continue;
        seen.position = last.position;
        seen.wake();
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'The change feed could not be followed for the Cloudflare tunnel');
      await sleep(TICK_MS, undefined, { signal }).catch(() => {});
    }
  }
}

function concernsHostname({ event: { type, data } }: FeedEvent): boolean {
  if (!type.startsWith('allocation.')) return false;
  return data.allocation?.cloudflareHostname != null || data.previous?.cloudflareHostname != null;
}
