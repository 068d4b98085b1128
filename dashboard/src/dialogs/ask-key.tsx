import { keyWanted, setApiKey } from '../registry/api.js';
import { refresh } from '../registry/registry.js';
import { type Fields, Form, Labelled, Modal } from './form.js';

/** Asks for a key when the service refused for want of one. */
export function AskKey({ reason }: { reason: string }) {
  const use = async (fields: Fields) => {
    setApiKey(fields.required('key'));
    await refresh();
  };
  return (
    <Modal title="This registry needs a key" onClose={() => (keyWanted.value = null)}>
      <p class="lead">{reason}</p>
      <Form submit="Continue" onClose={() => (keyWanted.value = null)} action={use}>
        <Labelled
          name="key"
          label="Key"
          required
          hint="Kept in this tab until it is closed, and sent to this service only. Whoever runs the registry has it."
        >
          {(control) => <input {...control} type="password" />}
        </Labelled>
      </Form>
    </Modal>
  );
}
