import type { TargetedSubmitEvent } from 'preact';
import { useId } from 'preact/hooks';
import { useAction } from '../../parts/action.js';
import { CopyButton } from '../../parts/copy.js';
import { go } from '../../place.js';
import { Refused } from './fields.js';
import { checkText, typedText } from './plan.js';

const COMMANDS = ['ss -ltnp', 'lsof -i -P -n'];

/** A list from any machine. What is typed lives as long as the page. */
export function PastedText() {
  const id = useId();
  const action = useAction();
  const check = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    void action.run(async () => {
      await checkText(typedText.value);
      go({ step: 'check', sort: null, rows: null });
    });
  };
  return (
    <form class="pasted" onSubmit={check}>
      <label for={id}>The text</label>
      <p id={`${id}-hint`} class="quiet">
        As one of these commands writes it, on the machine where the services run. What listens there on every address
        or on loopback is taken for localhost.
      </p>
      <ul class="pasted-commands">
        {COMMANDS.map((command) => (
          <li key={command}>
            <code>{command}</code> <CopyButton text={command} label={command} />
          </li>
        ))}
      </ul>
      <textarea
        id={id}
        aria-describedby={`${id}-hint`}
        rows={12}
        required
        spellcheck={false}
        autocomplete="off"
        value={typedText.value}
        onInput={({ currentTarget }) => (typedText.value = currentTarget.value)}
      />
      <Refused action={action} />
      <div class="view-actions">
        <button type="submit" class="button primary" aria-disabled={action.isBusy}>
          Check it
        </button>
      </div>
    </form>
  );
}
