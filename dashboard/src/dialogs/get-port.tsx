import { useState } from 'preact/hooks';
import { answerOf, api, makeIdempotencyKey } from '../registry/api.js';
import { refresh, space } from '../registry/registry.js';
import { environments, projects, selectPort } from '../registry/view.js';
import { type Fields, Form, Modal, TextField } from './form.js';
import { closeDialog, notice } from './open.js';

/** Gets a port for a service: the one that it has already, or else a new one. With `port`, gets that port. */
export function GetPort({ project, port }: { project?: string; port?: number }) {
  // Kept while the dialog is open. If an answer is lost and the user tries again, it is the same request to the
  // service.
  const [idempotencyKey] = useState(makeIdempotencyKey);
  const { host, protocol } = space.value;

  const get = async (fields: Fields) => {
    const path = { project: fields.required('project'), service: fields.required('service') };
    const where = { ...fields.optional('environment'), host, protocol };
    const details = { ...fields.optional('serviceType'), ...fields.optional('description') };
    const { data: allocation, isNew } =
      port === undefined
        ? await getOrAllocate({ path, query: where }, details)
        : await allocate(path, { ...where, ...details, port }, idempotencyKey);
    closeDialog();
    notice.value = `${allocation.project}/${allocation.service} has port ${allocation.port}${isNew ? '' : ', as before'}.`;
    selectPort(allocation.port, allocation);
    await refresh();
  };

  return (
    <Modal title={port === undefined ? 'Get a port' : `Get port ${port}`} onClose={closeDialog}>
      <p class="lead">
        On {host}, {protocol.toUpperCase()}.{' '}
        {port === undefined
          ? 'A service that has a port already gets the same one; another gets the lowest free one of its project.'
          : 'It stays with the service until it is released.'}
      </p>
      <Form submit="Get it" onClose={closeDialog} action={get}>
        <TextField
          name="project"
          label="Project"
          required
          value={project ?? ''}
          readOnly={port !== undefined}
          suggestions={projects.value.map((map) => map.project)}
        />
        <TextField name="service" label="Service" required hint="Lower-case letters, digits, and . _ - between them." />
        <TextField
          name="environment"
          label="Environment"
          placeholder="default"
          suggestions={environments.value}
          hint="One copy of the stack: a stage, a branch, a worktree."
        />
        <TextField name="serviceType" label="Type" placeholder="http" />
        <TextField name="description" label="Description" />
      </Form>
    </Modal>
  );
}

type Place = { environment?: string; host: string; protocol: 'tcp' | 'udp' };
type Details = { serviceType?: string; description?: string };
type Path = { project: string; service: string };

async function getOrAllocate(params: { path: Path; query: Place }, body: Details) {
  const call = api.PUT('/v1/projects/{project}/services/{service}', { params, body });
  const data = await answerOf(call);
  return { data, isNew: (await call).response.status === 201 };
}

async function allocate({ project, service }: Path, body: Place & Details & { port: number }, idempotencyKey: string) {
  const params = { path: { project }, header: { 'idempotency-key': idempotencyKey } };
  const data = await answerOf(api.POST('/v1/projects/{project}/allocations', { params, body: { service, ...body } }));
  if ('items' in data) throw new Error('A pair was answered, although one protocol was asked for');
  return { data, isNew: true };
}
