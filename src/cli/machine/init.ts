import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { detectHere } from '../../client/detect.js';
import { replaceFile } from '../../client/env-file/replace-file.js';
import { ClientFailure } from '../../client/failure.js';
import { proposeManifest } from '../../client/init/proposal.js';
import { openContext } from '../context.js';
import { currentFolder } from '../ports/here.js';

const FILE_NAME = 'ports.yaml';

interface InitOptions {
  force?: boolean;
  dryRun?: boolean;
}

export function registerInit(program: Command): void {
  program
    .command('init')
    .description('writes ports.yaml from what is in this folder: compose file, package.json, Procfile')
    .option('--dry-run', 'prints what it would write')
    .option('--force', 'replaces a ports.yaml that is there')
    .addHelpText('after', '\nExamples:\n  pa init --dry-run\n  pa init && pa env')
    .action(async ({ force = false, dryRun = false }: InitOptions, command: Command) => {
      const { options, settings, output } = openContext(command);
      const { project, environment } = options;
      const folder = currentFolder();
      const file = join(folder, FILE_NAME);
      if (!dryRun && !force && existsSync(file)) {
        throw new ClientFailure('usage', `${file} is there already.`, 'Edit it, or replace it with --force.');
      }
      const here = await detectHere({ project, environment, settings, folder, isManifestIgnored: true });
      const { text, notes } = await proposeManifest(here.project, folder);
      for (const note of notes) output.warn(note);
      if (dryRun) return output.answer(text.trimEnd(), { file, text, notes });
      await replaceFile(file, () => Buffer.from(text));
      output.note(`Wrote ${file}. Read it, commit it, and see the ports: pa env.`);
      output.answer('', { file, text, notes });
    });
}
