import { formatDuration } from '../duration.js';
import { Labelled } from './form.js';

interface Props {
  name: string;
  label: string;
  hint?: string;
  /** In seconds. */
  choices: readonly number[];
  /** Is a choice too, where it is none of them. */
  chosen: number;
}

/** A time span, to be chosen. The field has it in seconds. */
export function DurationField({ name, label, hint, choices, chosen }: Props) {
  const all = choices.includes(chosen) ? choices : [...choices, chosen].sort((a, b) => a - b);
  return (
    <Labelled name={name} label={label} required {...(hint !== undefined && { hint })}>
      {(control) => (
        <select {...control}>
          {all.map((seconds) => (
            <option key={seconds} value={seconds} selected={seconds === chosen}>
              {seconds === 0 ? 'None' : formatDuration(seconds)}
            </option>
          ))}
        </select>
      )}
    </Labelled>
  );
}
