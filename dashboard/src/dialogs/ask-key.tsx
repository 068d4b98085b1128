import { readAgain } from '../feed/feed.js';
import { keyRefusal, setApiKey } from '../registry/api.js';
import { type Fields, Form, Labelled, Modal } from './form.js';

/** Asks for a key after the service has refused a request without a valid one. */
export function AskKey({ reason }: { reason: string }) {
  const use = async (fields: Fields) => {
    setApiKey(fields.required('key'));
    readAgain();
  };
  return (
    <Modal title="This registry needs a key" onClose={() => (keyRefusal.value = null)}>
      <p class="lead">{reason}</p>
      <Form submit="Continue" onClose={() => (keyRefusal.value = null)} action={use}>
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
