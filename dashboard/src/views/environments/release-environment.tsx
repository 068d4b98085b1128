import { useState } from 'preact/hooks';
import { Confirm } from '../../dialogs/form.js';
import { Gone } from '../../dialogs/gone.js';
import { formatCount, plural } from '../../format.js';
import { closeDialog } from '../../place.js';
import { releaseEnvironment } from '../../registry/actions.js';
import type { Held } from '../../registry/api.js';
import { portsOf, spacesOf } from '../../registry/environments.js';
import { nameSpot } from '../../registry/port-space.js';

/** How many ports are named. Of more, the view of services shows them all. */
const MOST_NAMED = 12;

/** Confirms the release of all that an environment holds. About `project/environment`. */
export function ReleaseEnvironment({ about }: { about: string }) {
  const [project = '', environment = ''] = about.split('/');
  const named = { project, environment };
  // As it was when the dialog was opened: once it is released, there is nothing left to show.
  const [ports] = useState(() => portsOf(named));
  const [spaces] = useState(() => spacesOf(named));
  if (ports.length === 0) return <Gone what="The environment" />;
  const release = async () => {
    await releaseEnvironment(named);
    await closeDialog();
  };
  const inUse = ports.filter(({ status }) => status === 'in_use');
  return (
    <Confirm title={`Release all of ${about}?`} submit={`Release ${plural(ports.length, 'port')}`} action={release}>
      <p>
        It gives up {plural(ports.length, 'port')}
        {spaces.length === 1 ? ' on ' : ': '}
        {spaces.length === 1
          ? describeSpace(spaces[0])
          : spaces.map((space) => `${space.ports} on ${describeSpace(space)}`).join(', ')}
        . The next services that ask may be given these numbers.
      </p>
      <p class="quiet">{namePorts(ports)}</p>
      {inUse.length > 0 && (
        <p class="warning">
          When they were last probed, something was listening on {formatCount(inUse.length)} of them: {namePorts(inUse)}
          . Stop that first.
        </p>
      )}
    </Confirm>
  );
}

const describeSpace = (space: { host: string; protocol: string } | undefined) =>
  space === undefined ? '' : `${space.host} ${space.protocol.toUpperCase()}`;

function namePorts(ports: readonly Held[]): string {
  const named = ports.slice(0, MOST_NAMED).map((one) => `${one.service} ${nameSpot(one)}`);
  const more = ports.length - named.length;
  return more > 0 ? `${named.join(', ')} and ${more} more` : named.join(', ');
}
