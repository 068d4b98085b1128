import { constants, renameSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import sonic from 'sonic-boom';
import type { Redact } from '../access/redact.js';
import type { Config } from '../config.js';
import {
  explainingDataDir,
  OLD_SERVICE_LOG,
  openOwnFile,
  requirePrivateFolder,
  SERVICE_LOG,
} from '../embedded/data-folder.js';
import { escapeInJson } from '../input/visible.js';
import { closeLostTerminals } from '../machine/lost-terminals.js';
import type { Format } from './terminal.js';

/** How much of the log waits in memory while it cannot be written. Further lines are lost. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;

/** The size from which the log of a background service is continued in a new file. It has two files at most. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Opens the log of a process. A log that cannot be written never keeps the process from working, nor from ending:
 * - A reader that stops reading blocks no thread but the one that writes. The stream that pino opens by default would
 *   block the whole process when it exits, until somebody reads.
 * - Errors of the stream are ignored, and the next line tries again: a closed terminal (EIO), a reader that has gone
 *   (EPIPE), a full disk (ENOSPC). With pino's own stream the first two ended in an uncaught error or, at exit, in an
 *   endless loop: it repeats the last write until it succeeds.
 *
 * Every line is redacted as a whole, because an error can quote what a caller has sent. Characters that are not seen
 * stand in it as JSON escapes, so that no name of a key changes what a terminal shows.
 * @param fd 1 for stdout, 2 for stderr
 * @param format makes of each line what is written; null to write JSON
 */
export function openLog(level: Config['logLevel'], fd: 1 | 2, redact: Redact, format: Format | null = null): Logger {
  process.once('exit', closeLostTerminals);
  return logTo(new sonic.SonicBoom({ fd, sync: false, maxLength: MAX_UNWRITTEN_BYTES }), level, redact, format);
}

/**
 * Opens the log of a background service: `service.log` in the data folder, which is created if there is none. A file
 * that has become too large is renamed, and replaces the one that was renamed before.
 * @throws StartError if the folder or the file cannot be used
 */
export async function openServiceLog(dataDir: string, level: Config['logLevel'], redact: Redact): Promise<Logger> {
  const path = join(dataDir, SERVICE_LOG);
  let bytes = await explainingDataDir(async () => {
    await requirePrivateFolder(dataDir);
    // From here on nobody else can put a link in its place, so that the stream may open it by its name.
    const file = await openOwnFile(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT);
    return (await file.stat().finally(() => file.close())).size;
  });
  const stream = new sonic.SonicBoom({ dest: path, mode: 0o600, sync: false, maxLength: MAX_UNWRITTEN_BYTES });
  stream.on('write', (written: number) => {
    bytes += written;
    if (bytes < MAX_FILE_BYTES) return;
    bytes = 0;
    try {
      renameSync(path, join(dataDir, OLD_SERVICE_LOG));
    } catch {} // somebody has removed it; a new one is made all the same
    stream.reopen();
  });
  return logTo(stream, level, redact);
}

function logTo(
  stream: InstanceType<typeof sonic.SonicBoom>,
  level: Config['logLevel'],
  redact: Redact,
  format: Format | null = null,
): Logger {
  stream.on('error', () => {});
  const write = (line: string) => {
    const json = escapeInJson(redact(line));
    return format ? format(json) : json;
  };
  return pino({ level, hooks: { streamWrite: write } }, stream);
}
