import { useState } from 'preact/hooks';
import { type Fields, Form, Modal, TextField } from '../../dialogs/form.js';
import { Gone } from '../../dialogs/gone.js';
import { tell } from '../../notices.js';
import { FreeText } from '../../parts/free-text.js';
import { closeDialog, go } from '../../place.js';
import { answerOf, api, makeIdempotencyKey } from '../../registry/api.js';
import { findingsBySpot, ownerOf } from '../../registry/audits.js';
import { environments } from '../../registry/filters.js';
import { nameSpot, readSpot, type Spot } from '../../registry/port-space.js';
import { held, holderOf, listeningBySpot } from '../../registry/store.js';
import { MAX_NAME_LENGTH, toServiceName } from '../../service-name.js';

/**
 * Allocates a port to what listens on it already. It asks for the number: the service hands out one that is asked for
 * by number whoever listens there, refuses with the reason where it cannot, and may be asked again with the same key.
 * An import would choose another name of its own where this one is taken.
 */
export function Adopt({ about }: { about: string }) {
  const [idempotencyKey] = useState(makeIdempotencyKey);
  const spot = readSpot(about);
  const project = ownerOf(spot?.port ?? null);
  const [process] = useState(() => spot && processOn(spot));
  const [name] = useState(() => (spot && project ? unusedName(project, nameOf(process, spot.port), spot) : ''));
  // Only when it opens: while it succeeds, the port is held before the dialog closes.
  const [isGone] = useState(() => spot !== null && holderOf(spot) !== null);
  if (spot === null || project === null || isGone) return <Gone what="The finding" />;

  const allocate = async (fields: Fields) => {
    const { port, host, protocol } = spot;
    const details = { ...fields.optional('environment'), ...fields.optional('description') };
    const allocation = await answerOf(
      api.POST('/v1/projects/{project}/allocations', {
        params: { path: { project }, header: { 'idempotency-key': idempotencyKey } },
        body: { service: fields.required('service'), ...details, port, host, protocol },
      }),
    );
    if ('items' in allocation) throw new Error('A pair was answered, although one protocol was asked for');
    // A probe finds that it runs. The port is held, whatever becomes of the probe.
    await answerOf(api.POST('/v1/allocations/{id}/health-checks', { params: { path: { id: allocation.id } } })).catch(
      () => null,
    );
    await closeDialog();
    tell([`${project}/${allocation.service} has port ${port}.`, ...(allocation.warnings ?? [])].join(' '));
    go({ port: nameSpot(spot) });
  };

  return (
    <Modal title={`Allocate ${spot.port} to what listens there`} onClose={closeDialog}>
      <p class="lead">
        On {spot.host}, {spot.protocol.toUpperCase()}, of {project}.{' '}
        {process === null ? (
          'Who listens cannot be seen from here.'
        ) : (
          <>
            Found: <FreeText>{process}</FreeText>.
          </>
        )}{' '}
        It keeps the number, and nobody else is given it.
      </p>
      <Form submit={`Allocate ${spot.port}`} onClose={closeDialog} action={allocate}>
        <TextField
          name="service"
          label="Service"
          required
          value={name}
          hint="Lower-case letters, digits, and . _ - between them."
        />
        <TextField name="environment" label="Environment" placeholder="default" suggestions={environments.value} />
        <TextField name="description" label="Description" />
      </Form>
    </Modal>
  );
}

/** What the registry says of processes that it does not see. */
const UNSEEN = /^a process that can ?not be identified/;

/** The process that listens, in the words of the list of listeners or of the finding; null where it is not seen. */
function processOn(spot: Spot): string | null {
  const listener = listeningBySpot.value.get(nameSpot(spot));
  if (listener?.process) return listener.pid === null ? listener.process : `${listener.process}, pid ${listener.pid}`;
  const finding = findingsBySpot.value.get(nameSpot(spot))?.find(({ kind }) => kind === 'squatter');
  return finding === undefined || UNSEEN.test(finding.actual) ? null : finding.actual;
}

/** `Grafana Server, pid 812` without what is behind the comma, as a name. */
const nameOf = (process: string | null, port: number): string => toServiceName(process?.split(', ')[0] ?? null, port);

/** The name, or the first of `node-2`, `node-3`, … if the service of that name holds another port already. */
function unusedName(project: string, name: string, { host, protocol }: Spot): string {
  const used = new Set(
    Array.from(held.value.values())
      .filter((one) => one.project === project && one.host === host && one.protocol === protocol)
      .map(({ service }) => service),
  );
  let unused = name;
  for (let count = 2; used.has(unused); count++) unused = `${name.slice(0, MAX_NAME_LENGTH - 4)}-${count}`;
  return unused;
}
