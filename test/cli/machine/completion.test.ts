// Completion: which words may follow, and that the scripts ask for them in a real shell.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { CLI, callCli } from '../../helpers/cli.js';
import { makeDataDir } from '../../helpers/database.js';

const folder = await makeDataDir(t);
await writeFile(
  join(folder, 'ports.yaml'),
  'services: { web: {}, web-admin: {}, api: { description: The interface } }\n',
);
const bin = join(folder, 'bin');
await mkdir(bin);
for (const name of ['pa', 'port-allocator', 'port-allocator-other']) {
  await writeFile(join(bin, name), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`, { mode: 0o755 });
}
/** A service cannot be started there, and must not be needed. */
const variables = {
  PORT_ALLOCATOR_DATA_DIR: join(folder, 'no-data'),
  PATH: `${bin}:${process.env.PATH}`,
  TERM: 'dumb',
};

async function complete(...words: string[]): Promise<string[]> {
  const { stdout } = await callCli(['completion', '--words', '--', ...words], { folder, variables });
  return stdout.split('\n').flatMap((line) => line.split('\t')[0] || []);
}

t.test('commands, options, choices and services are completed', async (t) => {
  t.same(await complete('re'), ['release', 'reserve', 'restore']);
  t.same(await complete('--project', 'x', 'rel'), ['release']);
  t.same(await complete('run', 'w'), ['web', 'web-admin']);
  t.same(await complete('run', 'web', ''), [], 'there is one service');
  t.same(await complete('port', '--pro'), ['--protocol', '--project']);
  t.same(await complete('port', '--protocol', ''), ['tcp', 'udp']);
  t.same(await complete('port', '--project', ''), [], 'any name');
  t.same(await complete('help', 'rel'), ['release']);
  t.same(await complete('nosuch', ''), []);
  t.ok((await complete('')).includes('completion'));
  t.notOk(existsSync(variables.PORT_ALLOCATOR_DATA_DIR), 'no service was started');
});

t.test('a shell that is not known is refused', async (t) => {
  t.match(await callCli(['completion', 'tcsh']), {
    code: 2,
    stdout: '',
    stderr: 'There is no completion for "tcsh".\nName one of bash, zsh, fish.\n',
  });
  t.match(await callCli(['completion']), { code: 2, stderr: /^For which shell\?\n/ });
});

/** Runs a script in a shell. @returns what it prints, or null if the shell is not installed */
function inShell(shell: string, ...args: string[]): string | null {
  const env = { ...variables, HOME: folder };
  const { error, stdout, stderr } = spawnSync(shell, args, { cwd: folder, env, encoding: 'utf8', timeout: 60_000 });
  return error ? null : stdout + stderr;
}

t.test('bash completes, and evaluates nothing of what was typed', async (t) => {
  const script = `
    source <(pa completion bash)
    try() {
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
      _port_allocator pa "\${@: -1}"
      echo "\${COMPREPLY[@]}"
    }
    try pa rel
    try pa run w
    try pa run web -- port-allocator-o
    try pa run '$(touch evaluated)' w
    complete -p pa`;
  t.equal(
    inShell('bash', '--norc', '-c', script),
    'release\nweb web-admin\nport-allocator-other\n\ncomplete -o bashdefault -o default -F _port_allocator pa\n',
  );
  t.notOk(existsSync(join(folder, 'evaluated')));
});

t.test('fish completes', async (t) => {
  const script = `pa completion fish | source; complete --do-complete 'pa run w'; complete --do-complete 'pa rel'`;
  const shown = inShell('fish', '--no-config', '-c', script);
  if (shown === null) return t.comment('fish is not installed');
  t.match(shown, /^web\nweb-admin\nrelease\t/);
});

t.test('zsh completes', async (t) => {
  const script = `
    zmodload zsh/zpty || exit
    zpty shell zsh -f -i
    zpty -w shell 'PS1="> "; autoload -U compinit; compinit -u -D; source <(pa completion zsh); print rea""dy'
    zpty -r shell shown '*ready*'
    zpty -w -n shell $'print -r -- pa relea\\t'
    sleep 0.1
    zpty -w -n shell $'\\x15pa relea\\t'
    zpty -r shell shown '*pa release *' && print -r -- completed`;
  const shown = inShell('zsh', '-f', '-c', script);
  if (shown === null) return t.comment('zsh is not installed');
  t.match(shown, /completed\n$/);
});
