import { execFile } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { ClientFailure } from '../../client/failure.js';
import type { Detected } from '../../detection/detect.js';
import { findDataDir } from '../../input/data-dir.js';
import { readListeners } from '../../machine/listeners.js';
import { packageRoot, version } from '../../package-root.js';
import type { Allocation } from '../../schemas/allocation.js';
import { type Context, openContext } from '../context.js';
import { checkFolder, checkOtherFolder, observeFolder } from '../doctor/data-folder.js';
import type { Finding } from '../doctor/finding.js';
import { checkCommand, checkGit, checkNode, findOnPath } from '../doctor/programs.js';
import { checkInstructions, checkProject, checkStrangers, readInstructions } from '../doctor/project.js';
import { checkClock, checkLocalService, checkRemoteService, checkVersion } from '../doctor/service-checks.js';
import type { Output } from '../output.js';
import { findHere, findOnRecord } from '../ports/here.js';
import { askRemote } from './remote-service.js';
import { findService } from './service-state.js';

const GIT_LIMIT_MS = 5000;

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('tells what is wrong on this machine, and what to do about it; starts and changes nothing')
    .addHelpText('after', '\nEnds with 1 if something is wrong.\n\nExamples:\n  pa doctor\n  pa doctor --json')
    .action(async (_options, command: Command) => {
      const context = openContext(command);
      const here = await findHere(context).catch(failureOf);
      const service = await examineService(context);
      const isAsked = service.isUsable && !(here instanceof ClientFailure);
      const detected = isAsked ? await findOnRecord(context.connection, here) : here;
      const folder = detected instanceof ClientFailure ? null : detected.path;
      const findings = [
        ...(await examinePrograms()),
        ...service.findings,
        checkProject(detected),
        ...(folder === null ? [] : checkInstructions(await readInstructions(folder))),
        ...(service.isUsable && !(detected instanceof ClientFailure) ? await examinePorts(context, detected) : []),
      ];
      const isWrong = findings.some(({ level }) => level === 'wrong');
      context.output.answer(findings.map((one) => formatFinding(one, context.output)).join('\n'), {
        healthy: !isWrong,
        findings,
      });
      if (isWrong) process.exitCode = 1;
    });
}

async function examinePrograms(): Promise<Finding[]> {
  const { engines } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  const git = await promisify(execFile)('git', ['--version'], { timeout: GIT_LIMIT_MS }).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
  const findings = [checkNode(process.versions.node, engines.node), checkGit(git)];
  if (process.platform === 'win32') return findings; // there, a name on the PATH is a script and no link to this file
  const own = realpathSync(process.argv[1] as string);
  const short = await findOnPath('pa', process.env.PATH);
  findings.push(checkCommand('port-allocator', await findOnPath('port-allocator', process.env.PATH), own));
  return short === null ? findings : [...findings, checkCommand('pa', short, own)];
}

/** @returns also whether ports can be asked for without starting a service */
async function examineService({ settings, connection }: Context): Promise<{ findings: Finding[]; isUsable: boolean }> {
  const { url, dataDir } = settings;
  if (url !== null) {
    const remote = await askRemote(connection);
    const findings = [
      checkRemoteService(url, remote.failure),
      ...checkVersion(version, remote.version),
      ...checkClock(remote.date, Date.now()),
    ];
    return { findings, isUsable: remote.failure === null };
  }
  const state = await findService(dataDir);
  const usual = findDataDir({ LOCALAPPDATA: process.env.LOCALAPPDATA }).dataDir;
  const findings = [
    checkLocalService(state, dataDir),
    ...checkVersion(version, state.state === 'running' ? state.service.version : null),
    checkFolder(await observeFolder(dataDir), process.geteuid?.()),
    ...(await checkOtherFolder(dataDir, usual)),
  ];
  return { findings, isUsable: state.state === 'running' };
}

async function examinePorts({ connection }: Context, { project, environment, path }: Detected): Promise<Finding[]> {
  const query = { project, environment, limit: 1000 };
  const { items } = await connection.send<{ items: Allocation[] }>({ method: 'GET', path: '/v1/allocations', query });
  return items.length === 0 ? [] : checkStrangers(items, await readListeners(), path);
}

function failureOf(error: unknown): ClientFailure {
  if (error instanceof ClientFailure) return error;
  throw error;
}

const SIGNS = { right: ['✓', 'green'], warning: ['!', 'yellow'], wrong: ['✗', 'red'] } as const;

function formatFinding({ level, detail, remedy }: Finding, output: Output): string {
  const [sign, color] = SIGNS[level];
  const indented = (text: string) => text.replaceAll('\n', '\n  ');
  const lines = [
    `${output.style(color, sign)} ${indented(detail)}`,
    ...(remedy === null ? [] : [`  ${indented(remedy)}`]),
  ];
  return lines.join('\n');
}
