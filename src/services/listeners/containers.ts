import { request } from 'node:http';
import type { Log } from '../../database/connect.js';
import { makeVisible } from '../../input/visible.js';
import type { Listener } from '../../machine/listener.js';
import { shareForASecond } from '../../registry/queues/share.js';

const LIMIT_MS = 1000;
/** How long an engine that did not answer is left alone, so that nobody waits for it again and again. */
const LEFT_ALONE_MS = 10_000;
/** The list of a thousand containers has about 2 MB. */
const ANSWER_LIMIT_BYTES = 8 * 2 ** 20;
/** Docker Compose and podman-compose write the folder of the compose file here. */
const FOLDER_LABEL = 'com.docker.compose.project.working_dir';

/** A port that a container publishes on this machine. `process` is the name of the container. */
export interface PublishedPort extends Listener {
  readonly protocol: string;
}

/** What is read of `GET /containers/json` (Docker's Engine API). Any of it may be missing. */
interface Container {
  Names?: string[];
  Labels?: Record<string, string> | null;
  Ports?: { IP?: string; PublicPort?: number; Type?: string }[] | null;
}

/**
 * The ports that containers publish on this machine, as their engine tells them over its socket. An engine that does not
 * answer is no reason to refuse anybody: then there are none, and the log says why, once until it answers again.
 */
export class Containers {
  /** By `performance.now()`. The engine is not asked before. Null while it answers. */
  #silentUntil: number | null = null;
  readonly list: () => Promise<readonly PublishedPort[]>;

  /** @param socket null if no engine is to be asked */
  constructor(
    socket: string | null,
    private readonly log: Pick<Log, 'warn'>,
  ) {
    this.list = socket === null ? async () => [] : shareForASecond(() => this.#ask(socket));
  }

  async #ask(socket: string): Promise<PublishedPort[]> {
    if (performance.now() < (this.#silentUntil ?? 0)) return [];
    try {
      const published = readPublished(JSON.parse(await get(socket)));
      this.#silentUntil = null;
      return published;
    } catch (error) {
      if (this.#silentUntil === null) {
        const because = { socket, reason: (error as Error).message };
        this.log.warn(because, 'The container engine (CONTAINER_SOCKET) did not tell which ports containers publish');
      }
      this.#silentUntil = performance.now() + LEFT_ALONE_MS;
      return [];
    }
  }
}

function readPublished(containers: unknown): PublishedPort[] {
  if (!Array.isArray(containers)) throw new Error('The answer is no list of containers');
  return (containers as Container[]).flatMap(({ Names = [], Labels, Ports }) => {
    const name = makeVisible(String(Names[0] ?? 'a container').replace(/^\//, ''));
    const path = Labels?.[FOLDER_LABEL] ?? null;
    return (Ports ?? []).flatMap(({ IP = '', PublicPort, Type = 'tcp' }): PublishedPort[] => {
      if (typeof PublicPort !== 'number' || PublicPort === 0) return [];
      const address = IP === '' || IP === '0.0.0.0' || IP === '::' ? '*' : makeVisible(IP);
      return [{ port: PublicPort, protocol: Type, address, process: name, pid: null, path }];
    });
  });
}

/** @throws what the network says, or why the answer cannot be used */
function get(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(LIMIT_MS);
    const fail = (error: Error) => reject(signal.aborted ? new Error(`no answer in ${LIMIT_MS} ms`) : error);
    const asked = request(
      { socketPath, path: '/containers/json', headers: { host: 'localhost' }, agent: false, signal },
      (answer) => {
        const pieces: Buffer[] = [];
        let bytes = 0;
        answer.on('data', (piece: Buffer) => {
          bytes += piece.length;
          pieces.push(piece);
          if (bytes > ANSWER_LIMIT_BYTES)
            asked.destroy(new Error(`the answer has more than ${ANSWER_LIMIT_BYTES} bytes`));
        });
        answer.on('error', fail);
        answer.on('end', () => {
          if (answer.statusCode === 200) resolve(Buffer.concat(pieces).toString());
          else fail(new Error(`it answered with status ${answer.statusCode}`));
        });
      },
    );
    asked.on('error', fail);
    asked.end();
  });
}
