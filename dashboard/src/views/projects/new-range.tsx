import { useState } from 'preact/hooks';
import { type Fields, Form, Labelled, Modal, TextField } from '../../dialogs/form.js';
import { tell } from '../../notices.js';
import { addressOfView, closeDialog, goTo } from '../../place.js';
import { answerOf, api, makeIdempotencyKey, type Range } from '../../registry/api.js';
import { projectNames } from '../../registry/projects.js';
import { readRanges } from './read-ranges.js';

/** Makes a project, which is to give it its first range. */
export function NewProject() {
  const create = async (fields: Fields) => {
    const call = api.PUT('/v1/projects/{project}', {
      params: { path: { project: fields.required('project') } },
      body: rangeFields(fields),
    });
    const { project, ranges } = await answerOf(call);
    const isNew = (await call).response.status === 201;
    // The page of the project needs its range, of which the feed tells only a moment later.
    await readRanges();
    await closeDialog();
    tell(
      isNew ? describeNew(ranges[0]) : `${project} is there already, and stays as it is. Add a range to give it more.`,
    );
    goTo(addressOfView('project', { project }));
  };
  return (
    <Modal title="New project" onClose={closeDialog}>
      <p class="lead">It gets a range of its own, which no other can overlap: its services get their ports from it.</p>
      <Form submit="Create it" onClose={closeDialog} action={create}>
        <TextField
          name="project"
          label="Name"
          required
          placeholder="odin"
          hint="Lower-case letters, digits, and . _ - between them."
        />
        <RangeFields />
      </Form>
    </Modal>
  );
}

/** Gives a project a further range. About a project. */
export function NewRange({ about: project }: { about: string }) {
  const [idempotencyKey] = useState(makeIdempotencyKey);
  const create = async (fields: Fields) => {
    const range = await answerOf(
      api.POST('/v1/ranges', {
        params: { header: { 'idempotency-key': idempotencyKey } },
        body: { project: fields.required('project'), ...rangeFields(fields) },
      }),
    );
    await closeDialog();
    tell(describeNew(range));
  };
  return (
    <Modal title="Add a range" onClose={closeDialog}>
      <p class="lead">The numbers that the project has already stay as they are.</p>
      <Form submit="Add it" onClose={closeDialog} action={create}>
        <TextField
          name="project"
          label="Project"
          required
          value={project}
          readOnly={project !== ''}
          suggestions={projectNames.value}
        />
        <RangeFields />
      </Form>
    </Modal>
  );
}

function RangeFields() {
  return (
    <>
      <Labelled name="kind" label="Size" required>
        {(control) => (
          <select {...control}>
            <option value="project">100 ports, for one project</option>
            <option value="shared">1000 ports, for services that many share</option>
          </select>
        )}
      </Labelled>
      <Labelled name="startPort" label="First port" hint="A multiple of 100. Left open: the lowest block that is free.">
        {(control) => <input {...control} type="number" min={3000} max={64_900} step={100} />}
      </Labelled>
      <TextField name="description" label="Description" />
    </>
  );
}

function rangeFields(fields: Fields) {
  const startPort = fields.required('startPort');
  return {
    kind: fields.required('kind') === 'shared' ? ('shared' as const) : ('project' as const),
    ...(startPort !== '' && { startPort: Number(startPort) }),
    ...fields.optional('description'),
  };
}

/** `odin has ports 3300 to 3399.`, with what the service has to say about them. */
function describeNew(range: Range | undefined): string {
  if (range === undefined) return 'It was created.';
  const { project, startPort, endPort, warnings } = range;
  return [`${project} has ports ${startPort} to ${endPort}.`, ...warnings].join(' ');
}
