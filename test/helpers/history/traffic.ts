import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, PortSpace, Question } from './operations.js';
import type { Recorder } from './recorder.js';

/** Of callers who share them, so that they meet. */
const SHARED = ['api@default', 'web@default', 'web@staging'];
/** What one caller keeps at a time: with a few callers a range of 100 ports does not run out. */
const KEPT_AT_MOST = 6;
const PAUSE_AFTER_REFUSAL_MS = 50;

/** Of the seed's projects, with the starts of their ranges. */
const START_PORTS: Record<string, number> = { consilio: 3100, openhorizon: 3200, odin: 3300, 'health-agent': 3400 };
export const PROJECTS = Object.keys(START_PORTS);

/** For `checkHistory`. */
export const portsOf = ({ project }: PortSpace): number[] =>
  Array.from({ length: 100 }, (_, i) => (START_PORTS[project] as number) + i);

interface TrafficOptions {
  projects: readonly string[];
  callersPerProject: number;
  /** Between two calls of one caller. */
  pauseMs: number;
}

/** Callers who allocate, look up and release in several projects until `stop()`, all of it recorded. */
export class Traffic {
  readonly spaces: PortSpace[];
  readonly #recorder: Recorder;
  readonly #pauseMs: number;
  readonly #done: Promise<unknown>;
  /** Idempotency keys and the names they belong to are remembered beyond one run. */
  readonly #run = randomBytes(3).toString('hex');
  #running = true;

  constructor(recorder: Recorder, { projects, callersPerProject, pauseMs }: TrafficOptions) {
    this.#recorder = recorder;
    this.#pauseMs = pauseMs;
    this.spaces = projects.map((project) => ({ project, host: 'localhost', protocol: 'tcp' }));
    this.#done = Promise.all(
      this.spaces.flatMap((space) =>
        Array.from({ length: callersPerProject }, (_, i) => this.#call(space, `${space.project}-${this.#run}-${i}`)),
      ),
    );
  }

  /** Ends every caller after its call, and records what is left. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
    for (const space of this.spaces) await this.#recorder.list(space);
  }

  async #call(space: PortSpace, caller: string): Promise<void> {
    const kept: string[] = [];
    let released: string | undefined;
    const ask = async (asked: Question) => {
      const answer = await this.#recorder.ask(caller, space, asked);
      await sleep(answer.kind === 'unknown' || answer.kind === 'refused' ? PAUSE_AFTER_REFUSAL_MS : this.#pauseMs);
      return answer;
    };
    /** As a careful client does with what is safe to repeat: until there is an answer. */
    const insist = async (asked: Question): Promise<Answer> => {
      for (;;) {
        const answer = await ask(asked);
        if (!this.#running || (answer.kind !== 'unknown' && answer.kind !== 'refused')) return answer;
      }
    };
    for (let i = 0; this.#running; i++) {
      const shared = SHARED[Math.floor(Math.random() * SHARED.length)] as string;
      const own = `${caller}-${i}@default`;
      switch (Math.floor(Math.random() * 8)) {
        case 0:
        case 1:
          await ask({ op: 'get-or-allocate', holder: shared });
          break;
        case 2:
        case 3: {
          const isRetried = i % 2 === 0;
          const asked: Question = { op: 'allocate', holder: own, idempotencyKey: isRetried ? own : null };
          const answer = await (isRetried ? insist(asked) : ask(asked));
          if ('id' in answer) kept.push(answer.id);
          // Nobody knows the id: its name finds it, if it was made.
          else if (answer.kind === 'unknown') await insist({ op: 'release-holder', holder: own });
          break;
        }
        case 4:
          await ask({ op: 'look-up', holder: shared });
          break;
        case 5:
          if (i % 4 === 0) await ask({ op: 'release-holder', holder: shared });
          break;
        default: {
          if (kept.length < KEPT_AT_MOST / 2) break;
          // Now and then a late retry, which must not free the next holder's port.
          const id = i % 5 === 0 && released ? released : (kept.shift() as string);
          await insist({ op: 'release', id });
          released = id;
        }
      }
      while (kept.length > KEPT_AT_MOST) await insist({ op: 'release', id: kept.shift() as string });
    }
  }
}
