import { type Command, Option } from 'commander';
import { ClientFailure } from '../../client/failure.js';
import { findOperandsAfterDashes } from '../arguments.js';
import { openContext } from '../context.js';
import { complete } from './completion-candidates.js';
import { scripts } from './completion-scripts.js';

const SHELLS = Object.keys(scripts).join(', ');

export function registerCompletion(program: Command, args: readonly string[]): void {
  program
    .command('completion')
    .description('prints the script that completes commands, options and services in a shell')
    .argument('[shell]', `one of ${SHELLS}`)
    .addOption(new Option('--words', 'completes the last word after --; called by the scripts').hideHelp())
    .allowExcessArguments()
    .addHelpText(
      'after',
      '\nExamples:\n  pa completion bash >> ~/.bashrc\n  pa completion zsh >> ~/.zshrc\n' +
        '  pa completion fish >> ~/.config/fish/config.fish',
    )
    .action(async (shell: string | undefined, { words }: { words?: boolean }, command: Command) => {
      const { output } = openContext(command);
      if (words) {
        const found = await complete(program, findOperandsAfterDashes(args) ?? []);
        output.answer(found.map(({ word, meaning }) => `${word}\t${meaning}`).join('\n'), found, { isVerbatim: true });
      } else {
        const script = requireScript(shell);
        output.answer(script, { shell, script });
      }
    });
}

function requireScript(shell: string | undefined): string {
  if (shell !== undefined && Object.hasOwn(scripts, shell)) return scripts[shell as keyof typeof scripts];
  const wrong = shell === undefined ? 'For which shell?' : `There is no completion for ${JSON.stringify(shell)}.`;
  throw new ClientFailure('usage', wrong, `Name one of ${SHELLS}.`);
}
