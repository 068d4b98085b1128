import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, PortSpace, Question } from './operations.js';
import type { Recorder } from './recorder.js';

/** Holders that all callers use, so that calls of different callers affect one another. */
const SHARED = ['api@default', 'web@default', 'web@staging'];
/** How far into the range a port is that callers prefer, or exclude for a while. */
const NEAR = 12;
/** How many ports one caller keeps at a time. With a few callers a range of 100 ports does not run out. */
const KEPT_AT_MOST = 6;
const PAUSE_AFTER_REFUSAL_MS = 50;
const MOST_TRIES = 200;

/** Projects of the seed, with the start ports of their ranges. */
const START_PORTS: Record<string, number> = { consilio: 3100, openhorizon: 3200, odin: 3300, 'health-agent': 3400 };
export const PROJECTS = Object.keys(START_PORTS);

/** The ports of a project, as `checkHistory` needs them. */
export const portsOf = ({ project }: PortSpace): number[] =>
  Array.from({ length: 100 }, (_, i) => (START_PORTS[project] as number) + i);

interface TrafficOptions {
  projects: readonly string[];
  callersPerProject: number;
  /** The pause between two calls of one caller. */
  pauseMs: number;
}

/** Callers who allocate, look up and release in several projects until `stop()`. All their calls are recorded. */
export class Traffic {
  readonly spaces: PortSpace[];
  readonly #recorder: Recorder;
  readonly #pauseMs: number;
  readonly #done: Promise<unknown>;
  /** Ports that may be excluded. */
  readonly #excluded = new Map<number, { space: PortSpace; port: number }>();
  /** Part of all names and idempotency keys, because the service remembers those of earlier runs. */
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

  /** Lets every caller finish its call, ends what they have excluded, and then records the final state of each space. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
    for (const { space, port } of this.#excluded.values()) {
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const { kind } = await this.#recorder.ask('last', space, { op: 'include', port });
        if (kind === 'done' || kind === 'none') break;
        await sleep(PAUSE_AFTER_REFUSAL_MS);
      }
    }
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
    /** Repeats a call until there is an answer, as a careful client does with calls that are safe to repeat. */
    const insist = async (asked: Question): Promise<Answer> => {
      for (;;) {
        const answer = await ask(asked);
        if (!this.#running || (answer.kind !== 'unknown' && answer.kind !== 'refused')) return answer;
      }
    };
    for (let i = 0; this.#running; i++) {
      const shared = SHARED[Math.floor(Math.random() * SHARED.length)] as string;
      const own = `${caller}-${i}@default`;
      const near = (START_PORTS[space.project] ?? 0) + Math.floor(Math.random() * NEAR);
      switch (Math.floor(Math.random() * 9)) {
        case 0:
        case 1:
          await ask({ op: 'get-or-allocate', holder: shared });
          break;
        case 2:
        case 3: {
          const isRetried = i % 2 === 0;
          const prefer = near > NEAR && i % 3 === 0 ? near : undefined;
          const asked: Question = { op: 'allocate', holder: own, idempotencyKey: isRetried ? own : null, prefer };
          const answer = await (isRetried ? insist(asked) : ask(asked));
          if ('id' in answer) kept.push(answer.id);
          // The allocation may have been made, but its id is unknown. It can be released by its holder's name.
          else if (answer.kind === 'unknown') await insist({ op: 'release-holder', holder: own });
          break;
        }
        case 4:
          await ask({ op: 'look-up', holder: shared });
          break;
        case 5:
          if (i % 4 === 0) await ask({ op: 'release-holder', holder: shared });
          break;
        case 6:
          // Soak tests have projects of their own, whose ports are not known here.
          if (near < NEAR) break;
          this.#excluded.set(near, { space, port: near });
          await ask({ op: Math.random() < 0.5 ? 'exclude' : 'include', port: near });
          break;
        default: {
          if (kept.length < KEPT_AT_MOST / 2) break;
          // Sometimes this repeats an earlier release, which must not release the port's next holder.
          const id = i % 5 === 0 && released ? released : (kept.shift() as string);
          await insist({ op: 'release', id });
          released = id;
        }
      }
      while (kept.length > KEPT_AT_MOST) await insist({ op: 'release', id: kept.shift() as string });
    }
  }
}
