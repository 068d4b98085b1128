import { findDataDir } from '../input/data-dir.js';
import { ClientFailure } from './failure.js';

/**
 * What a client is told by its environment. Only variables that begin with PORT_ALLOCATOR_ count, because shells and
 * CI export HOST, PORT, LOG_LEVEL or DATABASE_URL for other programs.
 */
export interface Settings {
  /** Of a service that is reached over HTTP, without a slash at its end. Null for the service of the data folder. */
  readonly url: string | null;
  readonly apiKey: string | null;
  /** The folder of the embedded database, an absolute path. Empty if `url` is set and no folder can be found. */
  readonly dataDir: string;
  readonly project: string | null;
  readonly environment: string | null;
}

/** @throws ClientFailure usage, for a variable that cannot be used */
export function readSettings(variables: NodeJS.ProcessEnv): Settings {
  const read = (name: string) => variables[`PORT_ALLOCATOR_${name}`]?.trim() || null;
  const url = readUrl(read('URL'));
  return {
    url,
    apiKey: readKey(read('API_KEY')),
    dataDir: readDataDir(variables, url),
    project: read('PROJECT'),
    environment: read('ENVIRONMENT'),
  };
}

/** A service on another machine also knows of folders and listeners of other machines, which cannot be seen here. */
export function isOfThisMachine({ url }: Settings): boolean {
  return url === null || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}

function readUrl(given: string | null): string | null {
  if (given === null) return null;
  const url = URL.canParse(given) ? new URL(given) : null;
  if (url && url.username + url.password !== '') {
    // The text is not quoted, because it may be a secret.
    throw new ClientFailure(
      'usage',
      'PORT_ALLOCATOR_URL has a user name or a password in it, which the service does not know.',
      'Leave them out, and set PORT_ALLOCATOR_API_KEY to the key.',
    );
  }
  if (url && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '') {
    return url.href.replace(/\/+$/, '');
  }
  throw new ClientFailure(
    'usage',
    `PORT_ALLOCATOR_URL: ${JSON.stringify(given)} is no address of a service.`,
    'Set it to one such as http://127.0.0.1:8080, or unset it to use the service of this machine.',
  );
}

/** A key goes into a header, which takes no other characters. */
function readKey(given: string | null): string | null {
  if (given === null || /^[\x21-\x7e]+$/.test(given)) return given;
  throw new ClientFailure(
    'usage',
    'PORT_ALLOCATOR_API_KEY has a character that is in no key, such as a space or the end of a line.',
    'Set it to the key alone.',
  );
}

function readDataDir(variables: NodeJS.ProcessEnv, url: string | null): string {
  const { dataDir, problems } = findDataDir({
    DATA_DIR: variables.PORT_ALLOCATOR_DATA_DIR?.trim() || undefined,
    XDG_DATA_HOME: variables.XDG_DATA_HOME?.trim() || undefined,
    LOCALAPPDATA: variables.LOCALAPPDATA?.trim() || undefined,
  });
  if (problems.length === 0 || url !== null) return problems.length === 0 ? dataDir : '';
  const problem = (problems[0] as string).replace(/^DATA_DIR\b/, 'PORT_ALLOCATOR_DATA_DIR');
  throw new ClientFailure('usage', `${problem}.`, 'Set PORT_ALLOCATOR_DATA_DIR to the absolute path of a folder.');
}
