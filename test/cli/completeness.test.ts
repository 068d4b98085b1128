// Every command of the program has what users expect of all of them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createProgram } from '../../src/cli/program.js';
import { packageRoot } from '../../src/package-root.js';

const program = await createProgram([]);
const docs = readFileSync(join(packageRoot, 'docs/command.md'), 'utf8');

for (const command of program.commands) {
  const name = command.name();
  t.test(name, async (t) => {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    t.ok(command.description(), 'has a description: add .description()');
    t.match(
      help,
      new RegExp(`\\nExamples?\\b[^]*(pa|port-allocator) ${name}`),
      "its help has an example: add .addHelpText('after', …)",
    );
    t.match(help, /\n {2}--json /, 'takes --json: its own options must not hide that of the program');
    t.match(docs, new RegExp(`^\\|.*\`pa ${name}\\b`, 'm'), 'stands in the table of docs/command.md: add a row');
  });
}
