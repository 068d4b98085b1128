import { apiKey, serviceUrl } from '../../registry/api.js';
import { FORMATS, type Wanted } from './formats.js';

/** The call that writes the same into a file. */
export function curlLineOf(wanted: Wanted): string {
  const key = apiKey.value === null ? '' : ' -H "Authorization: Bearer $PORT_ALLOCATOR_API_KEY"';
  return `curl -fsS${key} -o ${FORMATS[wanted.format].file} '${addressOfExport(wanted)}'`;
}

/** The command that keeps the same up to date in a file. */
export function commandLineOf({ format, project, environment, host }: Wanted): string {
  const options = Object.entries({ project, environment, host }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${quote(value)}`],
  );
  return ['pa watch --all', ...options, `--format ${format} --write ${FORMATS[format].file}`].join(' ');
}

export function addressOfExport({ format, ...query }: Wanted): string {
  const text = new URLSearchParams(Object.entries(query)).toString();
  return `${serviceUrl}/v1/exports/${format}${text === '' ? '' : `?${text}`}`;
}

/** What is chosen comes from the address, which somebody else may have written, and what is copied runs in a shell. */
function quote(value: string): string {
  return /^[\w.:-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}
