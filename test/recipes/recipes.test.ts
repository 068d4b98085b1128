// Tries the snippets of docs/recipes.md, as they stand there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { parseDocument } from 'yaml';
import { callCli } from '../helpers/cli.js';
import { makeDataDir } from '../helpers/database.js';
import { type Block, makeProject, readRecipes } from '../helpers/recipes.js';

const recipes = readRecipes();
/** One registry for all, so that the projects, which have one name, are clones of each other. */
const dataDir = await makeDataDir(t);
t.teardown(() => callCli(['stop'], { variables: { PORT_ALLOCATOR_DATA_DIR: dataDir } }));
/** Tried with these versions. */
const TOOLS = ['vite@8.3.8', 'foreman@3.0.1'];

const blocksOf = (heading: string): Block[] => recipes.get(heading) as Block[];
const file = (heading: string, name: string) => blocksOf(heading).find((block) => block.name === name)?.text as string;
const commands = (heading: string) =>
  blocksOf(heading).filter(({ language, name }) => language === 'sh' && name === '');
const server = { 'server.js': file('A plain Node server', 'server.js') };

t.test('a Node server, from the shell and from a script of npm', async (t) => {
  const { run, serve } = await makeProject(t, dataDir, {
    ...server,
    'package.json': file('npm scripts', 'package.json'),
  });
  const port = Number(await run('pa port web'));
  const fromShell = serve(commands('A plain Node server')[0]?.text as string);
  t.equal(await fromShell.answerOn(port), 'hello\n');
  await fromShell.end();
  t.equal(await serve('npm run dev').answerOn(port), 'hello\n');
});

t.test('Vite, and foreman', async (t) => {
  const { folder, run, serve } = await makeProject(t, dataDir, {
    ...server,
    'package.json': file('Vite', 'package.json'),
    Procfile: file('overmind, foreman', 'Procfile'),
    'index.html': '<h1>vite</h1>',
  });
  await run(`npm install --silent --no-save ${TOOLS.join(' ')}`);
  const [web = 0, api = 0] = (await run('pa port web; pa port api')).trim().split('\n').map(Number);
  const vite = serve('npm run dev');
  t.match(await vite.answerOn(web), '<h1>vite</h1>');
  await vite.end();
  const foreman = serve(`${join(folder, 'node_modules/.bin/nf')} start`);
  t.same([await foreman.answerOn(web), await foreman.answerOn(api)], ['hello\n', 'hello\n']);
});

t.test('a compose file gets the ports of this environment', async (t) => {
  const heading = 'Docker Compose';
  const names = ['ports.yaml', 'compose.yaml'];
  const { folder, run } = await makeProject(
    t,
    dataDir,
    Object.fromEntries(names.map((name) => [name, file(heading, name)])),
  );
  await run(commands(heading)[0]?.text as string);
  const [port = ''] = /\d+/.exec(await run('pa port db')) ?? [];
  const document = parseDocument(await readFile(join(folder, 'compose.ports.yaml'), 'utf8'), {
    customTags: [{ tag: '!override', collection: 'seq' } as never],
  });
  t.same(document.errors, []);
  t.match(JSON.stringify(document.toJS()), new RegExp(`"postgres":.*${port}.*5432`));
});

t.test('direnv sets the variables of the stack', async (t) => {
  const { run } = await makeProject(t, dataDir, { '.envrc': file('direnv', '.envrc') });
  const port = (await run('pa port web')).trim();
  t.match(await run('direnv allow && direnv exec . env'), `WEB_PORT=${port}\n`);
});

t.test('a task of VS Code, and the last step of a workflow', async (t) => {
  const packageJson = '{"scripts":{"start":"node server.js","test":"node -p process.env.PORT"}}';
  const { run, serve } = await makeProject(t, dataDir, { ...server, 'package.json': packageJson });
  const port = Number(await run('pa port web'));
  const { tasks } = JSON.parse(file('VS Code tasks', '.vscode/tasks.json'));
  const task = serve(tasks[0].command);
  t.equal(await task.answerOn(port), 'hello\n');
  await task.end();
  const workflow = parseDocument(file('GitHub Actions', '.github/workflows/test.yaml'));
  t.same([...workflow.errors, ...workflow.warnings], []);
  const { steps } = workflow.toJS().jobs.test;
  t.match(await run(steps.at(-1).run), `\n${port}\n`);
});

t.test('units of systemd are valid', async (t) => {
  const heading = 'systemd, for a user';
  const { bin, folder, run } = await makeProject(t, dataDir, { 'package.json': '{}' });
  for (const { name, text } of blocksOf(heading)) {
    const unit = join(folder, name.split('/').at(-1) as string);
    const placed = text.replaceAll('/usr/local/bin', bin).replace('%h/shop', folder);
    await run(`cat > ${unit} <<'EOF'\n${placed}EOF\n`);
    const verified = await run(`systemd-analyze --user --recursive-errors=no verify ${unit} 2>&1 || echo FAILED`);
    t.notMatch(verified, new RegExp(`${unit}|FAILED`), verified);
  }
});

t.test('a worktree has ports of its own, which are given back after it is removed', async (t) => {
  const { folder, run, serve } = await makeProject(t, dataDir, server);
  await run('git init -q && git add . && git -c user.name=a -c user.email=a@b commit -qm first');
  const main = Number(await run('pa port web'));
  const [add = '', remove = ''] = commands('git worktrees').map(({ text }) => text);
  const lines = add.trim().split('\n');
  await run(lines[0] as string);
  const worktree = join(folder, '..', 'shop-cart');
  const inWorktree = serve(lines.at(-1) as string, worktree);
  const port = Number(await run('pa port web', {}, worktree));
  t.not(port, main);
  t.equal(await inWorktree.answerOn(port), 'hello\n');
  await inWorktree.end();
  await run(remove);
  t.notMatch(await run('pa ls --all'), String(port), 'released');
  t.equal(Number(await run('pa port web')), main, 'and the main working tree keeps its own');
});

t.test('the hook of Claude Code tells the ports, and sets them', async (t) => {
  const { folder, run } = await makeProject(t, dataDir);
  const port = (await run('pa port web')).trim();
  const { hooks } = JSON.parse(file('Claude Code', '.claude/settings.json'));
  const variables = join(folder, 'variables');
  const told = await run(hooks.SessionStart[0].hooks[0].command, { CLAUDE_ENV_FILE: variables });
  t.equal(told, `export WEB_PORT=${port}\n`);
  t.equal(await readFile(variables, 'utf8'), told);
});

t.test('each MCP client starts a server that answers', async (t) => {
  const project = await makeProject(t, dataDir);
  const cursor = JSON.parse(file('Cursor', '~/.cursor/mcp.json')).mcpServers['port-allocator'];
  const code = JSON.parse(file('VS Code as an MCP client', '.vscode/mcp.json')).servers['port-allocator'];
  const toml = file('Codex', '~/.codex/config.toml');
  const codex = {
    command: /^command = "(.*)"$/m.exec(toml)?.[1],
    args: JSON.parse(/^args = (.*)$/m.exec(toml)?.[1] as string),
  };
  const [, claude = ''] = / -- (.*)\n/.exec(file('Claude Code', 'no-test')) ?? [];
  for (const { command, args } of [
    cursor,
    code,
    codex,
    { command: claude.split(' ')[0], args: claude.split(' ').slice(1) },
  ]) {
    t.match(await initialize(t, join(project.bin, command), args, project.env), { result: { serverInfo: Object } });
  }
});

async function initialize(t: Test, command: string, args: string[], env: Record<string, string>): Promise<unknown> {
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill());
  const clientInfo = { name: 'test', version: '1' };
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo };
  child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })}\n`);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  child.stdin.end();
  return JSON.parse(line);
}
