import { StartError } from '../errors.js';
import { isConnecting, isSchemaMissing, toAppError } from './errors.js';

/** What an error of the database means to somebody who starts a process on it. */
interface Explanation {
  sentence: string;
  /** Whether it may go away by waiting, as when the database is started after the service. */
  mayPass: boolean;
}

/** SQLSTATEs with which the server refuses a connection, and what to do about each. */
const REFUSED: Record<string, string> = {
  // invalid_password
  '28P01': 'Correct the user or the password.',
  // invalid_authorization_specification: no such role, or no entry in pg_hba.conf
  '28000': 'Correct the user, or let it in (pg_hba.conf; with `no encryption`, sslmode=verify-full may be missing).',
  // invalid_catalog_name
  '3D000': 'Create it (`create database`), or correct the name.',
};

/** What pg and Node's TLS say of an encrypted connection that will not be made, however often it is tried. */
const TLS_REFUSED: [pattern: RegExp, advice: string][] = [
  [/does not support SSL/, 'Switch TLS on at the server, or take sslmode out of the URL.'],
  [/Hostname\/IP does not match/, 'Connect by a name that the certificate has.'],
  [/certificate has expired/, 'Renew the certificate.'],
  [/certificate|SSL routines|tlsv1/i, 'Name the file with the certificate of its authority: `sslrootcert=FILE`.'],
];

/** What pg, or the server, says where the server asks for a password and there is none. */
const NO_PASSWORD_MESSAGE = /^SASL: .*client password must be|^empty password returned/;
/** pg's other errors of this kind come where the server does not prove that it knows the password. */
const SASL_MESSAGE = /^SASL: /;

/** @returns null for an error that does not come from the database, or that means a bug in this service */
export function explain(error: unknown): Explanation | null {
  if (!(error instanceof Error)) return null;
  const { code = '' } = error as NodeJS.ErrnoException;
  const message = messageOf(error);
  if (NO_PASSWORD_MESSAGE.test(message)) {
    return { sentence: 'the server asks for a password, and there is none. Write user:password@host.', mayPass: false };
  }
  if (isConnecting(error)) {
    const advice = REFUSED[code] ?? (SASL_MESSAGE.test(message) ? REFUSED['28P01'] : adviceOnTls(error));
    if (advice !== undefined) return { sentence: `no connection can be made: ${message}. ${advice}`, mayPass: false };
    return { sentence: `the database does not answer: ${message}`, mayPass: true };
  }
  // read_only_sql_transaction
  if (code === '25006') {
    return {
      sentence: `the database cannot be written, as a standby: ${message}. Connect to the primary.`,
      mayPass: true,
    };
  }
  // insufficient_privilege
  if (code === '42501') {
    return { sentence: `its user lacks a right: ${message}. Grant it as the owner of the database.`, mayPass: false };
  }
  if (isSchemaMissing(error)) {
    return {
      sentence: `tables of the registry are missing: ${message}. Run \`npm run migrate\`; if that changes nothing, restore a backup.`,
      mayPass: false,
    };
  }
  if (toAppError(error)?.status === 503) return { sentence: `the database does not answer: ${message}`, mayPass: true };
  return null;
}

/** @returns a StartError if the error is one of the database, or else the error itself */
export function toStartError(error: unknown): unknown {
  const explanation = error instanceof StartError ? null : explain(error);
  return explanation ? new StartError(`DATABASE_URL: ${explanation.sentence}`, { cause: error }) : error;
}

function adviceOnTls({ message }: Error): string | undefined {
  return TLS_REFUSED.find(([pattern]) => pattern.test(message))?.[1];
}

/** If a name has several addresses and none accepts, Node's AggregateError has no message of its own. */
function messageOf(error: Error): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map((each: Error) => each.message).join('; ');
  }
  return error.message || String((error as NodeJS.ErrnoException).code);
}
