import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { ownProjects } from '../access/own-projects.js';
import { projectNames } from '../registry/projects.js';
import { type Fields, TextField, useFieldError } from './form.js';

interface Props {
  /** Of its controls, and of the field that the service would refuse. */
  name: string;
  legend: string;
  required?: boolean;
  hint?: string;
  /** Each has a sentence, and so a line of its own. */
  isExplained?: boolean;
  children: ComponentChildren;
}

/** Check boxes or radio buttons that belong together. */
export function Choices({ name, legend, required = false, hint, isExplained = false, children }: Props) {
  const id = useId();
  const error = useFieldError(name);
  const note = error ?? hint;
  return (
    <fieldset
      class={isExplained ? 'field choices explained' : 'field choices'}
      aria-describedby={note === undefined ? undefined : id}
    >
      <legend>
        {legend} {!required && <span class="optional">optional</span>}
      </legend>
      {note !== undefined && (
        <p id={id} class={error === undefined ? 'hint' : 'hint wrong'}>
          {note}
        </p>
      )}
      <div class="choices-list">{children}</div>
    </fieldset>
  );
}

interface OptionProps {
  type: 'checkbox' | 'radio';
  name: string;
  value: string;
  isChosen?: boolean;
  onChoose?(): void;
  children: ComponentChildren;
}

/** One of them. */
export function Option({ type, name, value, isChosen = false, onChoose, children }: OptionProps) {
  return (
    <label class="option">
      <input type={type} name={name} value={value} defaultChecked={isChosen} onChange={onChoose} />
      <span>{children}</span>
    </label>
  );
}

/**
 * Chooses projects: those that have ranges, and others by their names. A key that covers only some chooses of these.
 */
export function ProjectChoices({ chosen, hint, required }: { chosen: string[]; hint: string; required: boolean }) {
  const names = ownProjects.value ?? projectNames.value;
  const others = chosen.filter((name) => !names.includes(name));
  return (
    <>
      <Choices name="projects" legend="Projects" hint={hint} required={required}>
        {names.map((name) => (
          <Option key={name} type="checkbox" name="projects" value={name} isChosen={chosen.includes(name)}>
            {name}
          </Option>
        ))}
      </Choices>
      {ownProjects.value === null && (
        <TextField
          name="otherProjects"
          label="Projects without a range yet"
          value={others.join(', ')}
          hint="Their names, with commas between them."
        />
      )}
    </>
  );
}

/** The projects that were chosen by `ProjectChoices`. */
export function chosenProjects(fields: Fields): string[] {
  return [...new Set([...fields.all('projects'), ...fields.listed('otherProjects')])];
}
