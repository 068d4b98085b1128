import { ownHosts, ownProjectNames } from '../access/own-projects.js';
import type { Protocol } from '../registry/api.js';
import { hosts, space } from '../registry/filters.js';
import type { Space, Spot } from '../registry/port-space.js';
import { type Fields, Labelled, TextField } from './form.js';

interface Props {
  /**
   * The number that the dialog is about, which tells the project, the host and the protocol; null where it is about
   * none.
   */
  spot: Spot | null;
}

/** Of which project a port is to be, of those that the key of this page covers. */
export function ProjectField({ project, spot }: Props & { project: string }) {
  return (
    <TextField
      name="project"
      label="Project"
      required
      value={project}
      readOnly={spot !== null}
      suggestions={ownProjectNames.value}
    />
  );
}

/** On which host and protocol a port is to be: at first those that the view shows. */
export function SpaceOfPort({ spot }: Props) {
  const { host, protocol } = space.value;
  const allowed = ownHosts.value;
  if (spot !== null) return null;
  return (
    <>
      <TextField
        name="host"
        label="Host"
        required
        value={allowed === null || allowed.includes(host) ? host : (allowed[0] ?? host)}
        suggestions={[...(allowed ?? hosts.value)]}
        hint={
          allowed === null
            ? 'Where the port is used: any name or address.'
            : `This key takes ports on ${allowed.join(', ')}.`
        }
      />
      <Labelled name="protocol" label="Protocol" required>
        {(control) => (
          <select {...control}>
            {(['tcp', 'udp'] as const).map((name) => (
              <option key={name} value={name} selected={name === protocol}>
                {name.toUpperCase()}
              </option>
            ))}
          </select>
        )}
      </Labelled>
    </>
  );
}

/** The host and protocol that were chosen by `SpaceOfPort`. */
export function chosenSpace(fields: Fields, spot: Spot | null): Space {
  const { host, protocol } = spot ?? {
    host: fields.required('host'),
    protocol: fields.required('protocol') as Protocol,
  };
  return { host, protocol };
}
