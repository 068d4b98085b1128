import { type Fields, Form, Labelled, Modal, TextField } from '../dialogs/form.js';
import { Gone } from '../dialogs/gone.js';
import { WithLoaded } from '../dialogs/with-loaded.js';
import { tell } from '../notices.js';
import { useLoaded } from '../parts/loaded.js';
import { closeDialog } from '../place.js';
import { type Allocation, answerOf, api, InputError } from '../registry/api.js';
import { held } from '../registry/store.js';

/** Edits the descriptive fields of an allocation, which is read first, because lists and events have no metadata. */
export function Describe({ about: id }: { about: string }) {
  const loaded = useLoaded(() => answerOf(api.GET('/v1/allocations/{id}', { params: { path: { id } } })), [id]);
  if (!held.value.has(id)) return <Gone what="The allocation" />;
  return (
    <WithLoaded title="Describe a port" loaded={loaded}>
      {(allocation) => <DescribeLoaded allocation={allocation} />}
    </WithLoaded>
  );
}

function DescribeLoaded({ allocation }: { allocation: Allocation }) {
  const { metadata } = allocation;
  const describe = async (fields: Fields) => {
    await answerOf(
      api.PATCH('/v1/allocations/{id}', {
        params: { path: { id: allocation.id } },
        body: {
          serviceType: fields.orNull('serviceType'),
          description: fields.orNull('description'),
          cloudflareHostname: fields.orNull('cloudflareHostname'),
          metadata: parseMetadata(fields.required('metadata')),
        },
      }),
    );
    await closeDialog();
    tell(`Port ${allocation.port} is described.`);
  };
  return (
    <Modal title={`Describe port ${allocation.port}`} onClose={closeDialog}>
      <p class="lead">
        {allocation.project}/{allocation.service}. What you empty is cleared.
      </p>
      <Form submit="Save" onClose={closeDialog} action={describe}>
        <TextField name="serviceType" label="Type" placeholder="http" value={allocation.serviceType ?? ''} />
        <TextField name="description" label="Description" value={allocation.description ?? ''} />
        <TextField
          name="cloudflareHostname"
          label="Public hostname"
          placeholder="api.example.com"
          value={allocation.cloudflareHostname ?? ''}
          hint="The name that Cloudflare routes to this port."
        />
        <Labelled name="metadata" label="Metadata" hint="Anything of your own: a JSON object.">
          {(control) => (
            <textarea {...control} rows={4} defaultValue={metadata ? JSON.stringify(metadata, null, 2) : ''} />
          )}
        </Labelled>
      </Form>
    </Modal>
  );
}

function parseMetadata(text: string): Record<string, unknown> | null {
  if (text === '') return null;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // reported below
  }
  throw new InputError('Metadata is no JSON object, such as {"team": "core"}.');
}
