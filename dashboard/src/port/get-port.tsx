import { useState } from 'preact/hooks';
import { isAdmin } from '../access/own-role.js';
import { Option } from '../dialogs/choices.js';
import { type Fields, Form, Modal, TextField } from '../dialogs/form.js';
import { chosenSpace, ProjectField, SpaceOfPort } from '../dialogs/place-fields.js';
import { tell } from '../notices.js';
import { closeDialog, go } from '../place.js';
import { answerOf, api, makeIdempotencyKey, Refusal } from '../registry/api.js';
import { environments } from '../registry/filters.js';
import { nameSpot } from '../registry/port-space.js';
import { readSubject } from './subject.js';

/** Gets a port for a service: the one that it has already, or else a new one. About a number, gets that number. */
export function GetPort({ about }: { about: string }) {
  // Kept while the dialog is open. If an answer is lost and the user tries again, it is the same request to the
  // service.
  const [idempotencyKey] = useState(makeIdempotencyKey);
  const { project, spot } = readSubject(about);
  /** The project that was asked for and is not there. */
  const [missing, setMissing] = useState<string | null>(null);

  const get = async (fields: Fields) => {
    const path = { project: fields.required('project'), service: fields.required('service') };
    const where = { ...fields.optional('environment'), ...chosenSpace(fields, spot) };
    const details = { ...fields.optional('serviceType'), ...fields.optional('description') };
    const createProject = fields.all('createProject').includes(path.project);
    const getting =
      spot === null
        ? getOrAllocate({ path, query: { ...where, createProject } }, details)
        : allocate(path, { ...where, ...details, port: spot.port }, idempotencyKey);
    const { data: allocation, isNew } = await getting.catch((error: unknown) => {
      const isMissing = error instanceof Refusal && error.problem?.code === 'project-not-found';
      setMissing(isMissing && isAdmin.value ? path.project : null);
      throw error;
    });
    await closeDialog();
    tell(`${allocation.project}/${allocation.service} has port ${allocation.port}${isNew ? '' : ', as before'}.`);
    go({ port: nameSpot(allocation) });
  };

  return (
    <Modal title={spot === null ? 'Get a port' : `Get port ${spot.port}`} onClose={closeDialog}>
      <p class="lead">
        {spot === null
          ? 'A service that has a port already gets the same one; another gets the lowest free one of its project.'
          : `On ${spot.host}, ${spot.protocol.toUpperCase()}. It stays with the service until it is released.`}
      </p>
      <Form submit="Get it" onClose={closeDialog} action={get}>
        <ProjectField project={project} spot={spot} />
        {missing !== null && (
          <Option key={missing} type="checkbox" name="createProject" value={missing}>
            Create the project {missing}, with a range of its own
          </Option>
        )}
        <TextField name="service" label="Service" required hint="Lower-case letters, digits, and . _ - between them." />
        <TextField
          name="environment"
          label="Environment"
          placeholder="default"
          suggestions={environments.value}
          hint="One copy of the stack: a stage, a branch, a worktree."
        />
        <SpaceOfPort spot={spot} />
        <TextField name="serviceType" label="Type" placeholder="http" />
        <TextField name="description" label="Description" />
      </Form>
    </Modal>
  );
}

type Place = { environment?: string; host: string; protocol: 'tcp' | 'udp' };
type Details = { serviceType?: string; description?: string };
type Path = { project: string; service: string };

async function getOrAllocate(params: { path: Path; query: Place & { createProject: boolean } }, body: Details) {
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
