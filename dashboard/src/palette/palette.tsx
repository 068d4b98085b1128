import type { TargetedEvent } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { formatCount, plural } from '../format.js';
import { FreeText } from '../parts/free-text.js';
import { wordsOf } from '../registry/rows.js';
import type { Command } from './command.js';
import { commandsFor } from './commands.js';
import { findCommands } from './match.js';
import { closePalette, isPaletteOpen, onShortcut } from './open.js';

/** More of them nobody reads: another letter leaves fewer. */
const MOST_SHOWN = 50;
const PAGE = 10;

/** The command palette: everything that can be gone to or done, by its name. */
export function Palette() {
  // At once, and not after the first painting, so that no key of somebody who is quick is missed.
  useLayoutEffect(() => {
    document.addEventListener('keydown', onShortcut);
    return () => document.removeEventListener('keydown', onShortcut);
  }, []);
  return isPaletteOpen.value ? <OpenPalette /> : null;
}

/**
 * A combobox with a listbox, as the ARIA Authoring Practices describe it: the focus stays in the field, and
 * `aria-activedescendant` names the option that Enter runs. Why it is no component of a library is in
 * docs/decisions/0005-a-dashboard-that-is-a-client.md.
 */
function OpenPalette() {
  const [text, setText] = useState('');
  const [wanted, setActive] = useState(0);
  const dialog = useModal();
  const list = useId();
  const words = wordsOf(text);
  const found = findCommands(commandsFor(words), words);
  const groups = groupsOf(found.slice(0, MOST_SHOWN));
  const options = groups.flatMap(([, commands]) => commands);
  const active = Math.max(Math.min(wanted, options.length - 1), 0); // what somebody else changes may leave fewer
  const optionId = (command: Command) => `${list}-${options.indexOf(command)}`;

  useEffect(() => {
    document.getElementById(`${list}-${active}`)?.scrollIntoView({ block: 'nearest' });
  }, [active, text]);

  const run = (command: Command | undefined) => {
    if (command === undefined) return;
    closePalette();
    command.run(); // which may take the focus elsewhere
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    const last = options.length - 1;
    const next: Record<string, number> = {
      ArrowDown: active >= last ? 0 : active + 1,
      ArrowUp: active <= 0 ? last : active - 1,
      PageDown: Math.min(active + PAGE, last),
      PageUp: Math.max(active - PAGE, 0),
    };
    if (event.key === 'Enter') run(options[active]);
    else if (next[event.key] !== undefined) setActive(Math.max(next[event.key] ?? 0, 0));
    else return;
    event.preventDefault();
  };

  return (
    <dialog ref={dialog} class="palette" aria-label="Search, or do something" onCancel={onCancel} onClose={onClosed}>
      <div class="palette-field">
        <input
          role="combobox"
          aria-label="What to go to, or to do"
          aria-expanded={options.length > 0}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={options.length > 0 ? `${list}-${active}` : undefined}
          autocomplete="off"
          spellcheck={false}
          enterkeyhint="go"
          placeholder="A service, a number, a project, an action"
          value={text}
          onInput={({ currentTarget }) => {
            setText(currentTarget.value);
            setActive(0);
          }}
          onKeyDown={onKeyDown}
        />
        <button type="button" class="link" onClick={closePalette}>
          Close
        </button>
      </div>
      <div id={list} role="listbox" aria-label="Found">
        {groups.map(([group, commands]) => (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset is not allowed in a listbox
          <div key={group} role="group" aria-labelledby={`${optionId(commands[0] as Command)}-group`}>
            <p id={`${optionId(commands[0] as Command)}-group`} role="presentation">
              {group}
            </p>
            {commands.map((command) => (
              <Option
                key={command.id}
                id={optionId(command)}
                command={command}
                isActive={command === options[active]}
                onMove={() => setActive(options.indexOf(command))}
                onRun={() => run(command)}
              />
            ))}
          </div>
        ))}
      </div>
      <p class="palette-count quiet" role="status">
        {found.length === 0 && 'Nothing has all these words.'}
        {found.length > MOST_SHOWN && `The best ${MOST_SHOWN} of ${formatCount(found.length)}.`}
        {found.length > 0 && found.length <= MOST_SHOWN && `${plural(found.length, 'entry', 'entries')}.`}
      </p>
    </dialog>
  );
}

interface OptionProps {
  id: string;
  command: Command;
  isActive: boolean;
  onMove(): void;
  onRun(): void;
}

function Option({ id, command: { name, note }, isActive, onMove, onRun }: OptionProps) {
  return (
    // The keys are those of the field, which keeps the focus.
    // biome-ignore lint/a11y/useKeyWithClickEvents: see above
    // biome-ignore lint/a11y/useFocusableInteractive: see above
    <div id={id} role="option" aria-selected={isActive} onPointerMove={onMove} onClick={onRun}>
      <span class="palette-name">{name}</span>
      {note !== undefined && (
        <span class="quiet">
          <FreeText>{note}</FreeText>
        </span>
      )}
    </div>
  );
}

/**
 * Closes it when Escape is pressed, and not with the event that tells that it was closed: a key that is pressed before
 * that event would open nothing.
 */
function onCancel(event: Event): void {
  event.preventDefault();
  closePalette();
}

/** Browsers may close it without asking. After `closePalette` it is off the page by now, and another may be open. */
function onClosed({ currentTarget }: TargetedEvent<HTMLDialogElement>): void {
  if (currentTarget.isConnected) closePalette();
}

/**
 * Shows the dialog as soon as it is there, so that no letter that is typed at once goes elsewhere. A click beside it
 * closes it.
 */
function useModal() {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    element?.addEventListener('click', ({ target }) => target === element && closePalette());
  }, []);
  return dialog;
}

/** Under their headings, each where its best command is. */
function groupsOf(commands: readonly Command[]): [group: string, commands: Command[]][] {
  const groups = new Map<string, Command[]>();
  for (const command of commands) groups.set(command.group, [...(groups.get(command.group) ?? []), command]);
  return [...groups];
}
