import { go } from '../place.js';
import { hosts, space } from '../registry/filters.js';
import { DEFAULT_SPACE } from '../registry/port-space.js';

/** Chooses the one port space that a view shows. */
export function SpaceFields() {
  const { host, protocol } = space.value;
  const choose = (name: 'host' | 'protocol', value: string) =>
    go({ [name]: value === DEFAULT_SPACE[name] ? null : value });
  return (
    <>
      <label>
        Host
        <select value={host} onChange={({ currentTarget }) => choose('host', currentTarget.value)}>
          {hosts.value.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        Protocol
        <select value={protocol} onChange={({ currentTarget }) => choose('protocol', currentTarget.value)}>
          <option value="tcp">TCP</option>
          <option value="udp">UDP</option>
        </select>
      </label>
    </>
  );
}
