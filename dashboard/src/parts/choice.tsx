import { useId } from 'preact/hooks';
import { ownProjectNames, ownProjects } from '../access/own-projects.js';
import { go, parameter } from '../place.js';
import { type PortState, STATES } from '../registry/states.js';

interface Props {
  label: string;
  /** The parameter of the address that has what is chosen. */
  name: string;
  /** The first one is chosen where the address has none, if its value is ''. */
  options: readonly (readonly [value: string, text: string])[];
  /** What does not go with another choice, and is taken out of the address. */
  clears?: readonly string[];
}

/** Chooses what is shown. A value of the address that is none of the options is shown as it is. */
export function Choice({ label, name, options, clears = [] }: Props) {
  const id = useId();
  const { value } = parameter(name);
  const all = options.some(([one]) => one === value) ? options : [...options, [value, value] as const];
  const choose = (chosen: string) =>
    go({ ...Object.fromEntries(clears.map((other) => [other, null])), [name]: chosen });
  return (
    <label for={id}>
      {label}
      <select id={id} value={value} onChange={({ currentTarget }) => choose(currentTarget.value)}>
        {all.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Options that are shown as they are, behind the one for all of them. */
export const optionsOf = (all: string, names: readonly string[]): Props['options'] => [
  ['', all],
  ...names.map((name) => [name, name] as const),
];

/** Chooses the project of which a view shows something, of those that the key of this page covers. */
export function ProjectChoice() {
  return <Choice label="Project" name="project" options={optionsOf('All projects', ownProjectNames.value)} />;
}

/** Chooses by state. The first choice and the last are wider than one state. */
export function StateChoice({ all, states }: { all: string; states: readonly PortState[] }) {
  const names = states.map((state) => [state, STATES[state].name] as const);
  const options = [['', all] as const, ['held', 'Held, in use or not'] as const, ...names];
  return <Choice label="State" name="state" options={[...options, ['full', 'Of crowded projects']]} />;
}

/** `of all projects`, as a view says of what its figures are. */
export const describeProjects = (chosen: string): string => `of ${nameProjects(chosen)}`;

/** `all projects`, or as many of them as the key of this page sees. */
export function nameProjects(chosen: string): string {
  if (chosen !== '') return chosen;
  return ownProjects.value !== null ? 'the projects that this key covers' : 'all projects';
}
