import { useState } from 'preact/hooks';
import { Choices, chosenProjects, Option, ProjectChoices } from '../../dialogs/choices.js';
import { type Fields, Form, Labelled, Modal, TextField } from '../../dialogs/form.js';
import { ShownOnce } from '../../dialogs/shown-once.js';
import { CopyButton } from '../../parts/copy.js';
import { closeDialog } from '../../place.js';
import { type ApiKey, answerOf, api, InputError, makeIdempotencyKey } from '../../registry/api.js';
import { ROLES } from './read-keys.js';

type Role = ApiKey['role'];
type Made = ApiKey & { key: string | null };

const ROLE_NAMES = Object.keys(ROLES) as Role[];

/** Makes a key, and shows its secret. */
export function NewKey({ about }: { about: string }) {
  const [idempotencyKey] = useState(makeIdempotencyKey);
  const [made, setMade] = useState<Made | null>(null);
  const [role, setRole] = useState<Role>('project');
  if (made !== null) return <MadeKey key="made" made={made} />;

  const make = async (fields: Fields) => {
    const body = {
      name: fields.required('name'),
      role,
      expiresAt: readExpiry(fields.required('expiresAt')),
      ...(role === 'project' && readLimits(fields)),
    };
    const header = { 'idempotency-key': idempotencyKey };
    setMade(await answerOf(api.POST('/v1/api-keys', { params: { header }, body })));
  };
  return (
    <Modal key="form" title="New key" onClose={closeDialog}>
      <p class="lead">Its secret is shown once, when it is made.</p>
      <Form submit="Make the key" onClose={closeDialog} action={make}>
        <TextField name="name" label="Name" required hint="Who or what has it. It stands beside each change." />
        <Choices name="role" legend="Role" required isExplained>
          {ROLE_NAMES.map((one) => (
            <Option
              key={one}
              type="radio"
              name="role"
              value={one}
              isChosen={one === 'project'}
              onChoose={() => setRole(one)}
            >
              <strong>{ROLES[one].name}</strong> <span class="quiet">{ROLES[one].may}</span>
            </Option>
          ))}
        </Choices>
        {role === 'project' && (
          <>
            <ProjectChoices required chosen={about === '' ? [] : [about]} hint="One or more." />
            <Limits />
          </>
        )}
        <Labelled
          name="expiresAt"
          label="Ends"
          hint="When it is refused by itself. Left empty, it is in force until it is revoked."
        >
          {(control) => <input {...control} type="datetime-local" />}
        </Labelled>
      </Form>
    </Modal>
  );
}

/** What else a key of projects can be limited to. */
function Limits() {
  return (
    <details class="more-fields">
      <summary>Limits</summary>
      <TextField
        name="hosts"
        label="Hosts on which it takes ports"
        placeholder="localhost, build-1"
        hint="With commas between them. Left empty, on any."
      />
      <TextField
        name="hostnames"
        label="Public hostnames that it sets"
        placeholder="shop.example.com"
        hint="Each with all names below it. Left empty, any."
      />
      <Choices name="noHostnames" legend="No hostnames">
        <Option type="checkbox" name="noHostnames" value="yes">
          It sets none at all
        </Option>
      </Choices>
    </details>
  );
}

function readLimits(fields: Fields): { projects: string[]; hosts?: string[]; hostnames?: string[] } {
  const [hosts, hostnames] = [fields.listed('hosts'), fields.listed('hostnames')];
  const setsNone = fields.all('noHostnames').length > 0;
  if (setsNone && hostnames.length > 0) throw new InputError('Either name hostnames, or choose that it sets none.');
  return {
    projects: chosenProjects(fields),
    ...(hosts.length > 0 && { hosts }),
    ...((setsNone || hostnames.length > 0) && { hostnames }),
  };
}

/** The field has the time of this machine, without its zone. */
function readExpiry(local: string): string | null {
  return local === '' ? null : new Date(local).toISOString();
}

function MadeKey({ made: { name, key } }: { made: Made }) {
  return (
    <ShownOnce title={`The key ${name}`} what="key" secret={key}>
      <p>
        Programs send it as <code>Authorization: Bearer …</code>; the command and agents take it from a variable:
      </p>
      <p>
        <CopyButton text={`PORT_ALLOCATOR_API_KEY=${key}`} label="the line with the variable">
          Copy PORT_ALLOCATOR_API_KEY=…
        </CopyButton>
      </p>
    </ShownOnce>
  );
}
