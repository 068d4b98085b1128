import { useState } from 'preact/hooks';
import { type Fields, Form, Labelled, Modal, TextField } from '../../dialogs/form.js';
import { chosenSpace, ProjectField, SpaceOfPort } from '../../dialogs/place-fields.js';
import { plural } from '../../format.js';
import { CopyButton } from '../../parts/copy.js';
import { closeDialog } from '../../place.js';
import { type Allocation, answerOf, api, InputError } from '../../registry/api.js';
import { dotenvOf } from '../../registry/copies.js';
import { nameEnvironment } from '../../registry/environments.js';
import { environments } from '../../registry/filters.js';

/** The environment of a service that names none. */
const USUAL_ENVIRONMENT = 'default';

/** Gets the ports of several services of one environment at once. About `project/environment`, or nothing. */
export function GetStack({ about }: { about: string }) {
  const [got, setGot] = useState<readonly Allocation[] | null>(null);
  return got === null ? <StackForm about={about} onGot={setGot} /> : <StackPorts ports={got} />;
}

function StackForm({ about, onGot }: { about: string; onGot(ports: readonly Allocation[]): void }) {
  const [project = '', environment = ''] = about.split('/');
  const get = async (fields: Fields) => {
    const services = [...new Set(fields.listed('service'))].map((service) => ({ service }));
    if (services.length === 0) throw new InputError('Enter the name of a service.');
    const path = {
      project: fields.required('project'),
      environment: fields.required('environment') || USUAL_ENVIRONMENT,
    };
    const call = api.PUT('/v1/projects/{project}/environments/{environment}', {
      params: { path, query: chosenSpace(fields, null) },
      body: { services },
    });
    onGot((await answerOf(call)).items);
  };
  return (
    <Modal title="Get a stack" onClose={closeDialog}>
      <p class="lead">
        A port for each of its services, or for none of them. Those that have one already get the same.
      </p>
      <Form submit="Get them" onClose={closeDialog} action={get}>
        <ProjectField project={project} spot={null} />
        <TextField
          name="environment"
          label="Environment"
          value={environment}
          placeholder={USUAL_ENVIRONMENT}
          suggestions={environments.value}
          hint="One copy of the stack: a stage, a branch, a worktree."
        />
        <Labelled name="service" label="Services" required hint="Their names, one a line or with commas between them.">
          {(control) => <textarea {...control} rows={4} />}
        </Labelled>
        <SpaceOfPort spot={null} />
      </Form>
    </Modal>
  );
}

/** The ports that were given, in the order in which their services were named. */
function StackPorts({ ports }: { ports: readonly Allocation[] }) {
  const [first] = ports as [Allocation];
  const dotenv = dotenvOf(ports);
  return (
    <Modal title={`${plural(ports.length, 'port')} for ${nameEnvironment(first)}`} onClose={closeDialog}>
      <p class="lead">
        On {first.host}, {first.protocol.toUpperCase()}. They stay until they are released.
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls has to be reached by the keyboard */}
      <ul class="bulk-list" tabIndex={0} aria-label="The ports">
        {ports.map(({ id, service, port }) => (
          <li key={id}>
            <span class="number">{port}</span> {service}
          </li>
        ))}
      </ul>
      <p>
        {'text' in dotenv ? (
          <CopyButton text={dotenv.text} label="the .env lines">
            Copy the .env lines
          </CopyButton>
        ) : (
          dotenv.problem
        )}
      </p>
      <div class="buttons">
        <button type="button" class="button primary" onClick={() => void closeDialog()}>
          Done
        </button>
      </div>
    </Modal>
  );
}
