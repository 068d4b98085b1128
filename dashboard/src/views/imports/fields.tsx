import { useEffect, useId } from 'preact/hooks';
import { makeTextVisible } from '../../../../src/input/visible.js';
import type { Action } from '../../parts/action.js';
import { describeFailure, Refusal } from '../../registry/api.js';

interface Props {
  /** For users of screen readers, who do not see the head of its column. */
  label: string;
  value: string;
  placeholder?: string;
  error: string | undefined;
  onChange(value: string): void;
}

/** A field in a row of a table, with what the registry has said of its value. */
export function NameField({ label, value, placeholder, error, onChange }: Props) {
  const id = useId();
  return (
    <>
      <input
        class="name-field"
        aria-label={label}
        value={value}
        placeholder={placeholder}
        autocomplete="off"
        spellcheck={false}
        aria-invalid={error !== undefined}
        aria-describedby={error === undefined ? undefined : id}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
      {error !== undefined && (
        <p id={id} class="hint wrong">
          {makeTextVisible(error)}
        </p>
      )}
    </>
  );
}

/**
 * Why something was refused, beside the buttons that do it. What is wrong with a field is said beside the field, which
 * gets the focus.
 */
export function Refused({ action: { error } }: { action: Action }) {
  useEffect(() => {
    if (error !== null) document.querySelector<HTMLElement>('.name-field[aria-invalid="true"]')?.focus();
  }, [error]);
  return (
    <div role="alert">
      {error !== null && (
        <p class="refusal">{[describeFailure(error), ...errorsOfNoField(error).map(makeTextVisible)].join(' ')}</p>
      )}
    </div>
  );
}

/** What is wrong with a text as a whole, or with an item that came from none of the fields. */
function errorsOfNoField(error: unknown): string[] {
  const errors = (error instanceof Refusal && error.problem?.errors) || [];
  return errors
    .filter(({ pointer }) => !/^\/items\/\d+\/(service|environment)$/.test(pointer))
    .map(({ detail }) => detail);
}
