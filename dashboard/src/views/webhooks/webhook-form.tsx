import { useState } from 'preact/hooks';
import { ownRole } from '../../access/own-role.js';
import { Choices, chosenProjects, Option, ProjectChoices } from '../../dialogs/choices.js';
import { type Fields, Form, Modal, TextField } from '../../dialogs/form.js';
import { EVENT_GROUPS, nameOfType } from '../../events/groups.js';
import { closeDialog } from '../../place.js';
import { InputError, type Webhook } from '../../registry/api.js';

/** What can be set of a webhook. */
export type WebhookFields = Pick<Webhook, 'url' | 'types' | 'projects' | 'description'>;

interface Props {
  title: string;
  submit: string;
  before: WebhookFields;
  action(fields: WebhookFields): Promise<void>;
}

/** The form with which a webhook is made or changed. */
export function WebhookForm({ title, submit, before, action }: Props) {
  const [allTypes, setAllTypes] = useState(before.types.length === 0);
  const isLimited = ownRole.value === 'project';
  const [wantsAll, setAllProjects] = useState(before.projects.length === 0);
  const allProjects = wantsAll && !isLimited; // of a page that has just begun, it is known a moment later
  const send = async (fields: Fields) =>
    action({
      url: fields.required('url'),
      description: fields.orNull('description'),
      types: allTypes ? [] : readTypes(fields),
      projects: allProjects ? [] : readProjects(fields),
    });
  return (
    <Modal title={title} onClose={closeDialog}>
      <Form submit={submit} onClose={closeDialog} action={send}>
        <TextField
          name="url"
          label="URL"
          required
          value={before.url}
          placeholder="http://localhost:3105/events"
          hint="It gets each event as a POST. Its host is one that the registry may probe."
        />
        <TextField name="description" label="What it is for" value={before.description ?? ''} />
        <AllOrSome
          field="types"
          name="whichTypes"
          legend="Which events"
          all="All"
          some="Only these"
          isAll={allTypes}
          onChoose={setAllTypes}
        />
        {!allTypes && <TypeChoices chosen={before.types} />}
        {!isLimited && (
          <AllOrSome
            field="projects"
            name="whichProjects"
            legend="Of which projects"
            all="All, and those of no project"
            some="Only these"
            isAll={allProjects}
            onChoose={setAllProjects}
          />
        )}
        {!allProjects && <ProjectChoices required chosen={before.projects} hint="One or more." />}
      </Form>
    </Modal>
  );
}

function AllOrSome(props: {
  /** What the service would refuse. The choices of some show it themselves. */
  field: string;
  name: string;
  legend: string;
  all: string;
  some: string;
  isAll: boolean;
  onChoose(isAll: boolean): void;
}) {
  const { field, name, legend, all, some, isAll, onChoose } = props;
  return (
    <Choices name={isAll ? field : name} legend={legend} required isExplained>
      <Option type="radio" name={name} value="all" isChosen={isAll} onChoose={() => onChoose(true)}>
        {all}
      </Option>
      <Option type="radio" name={name} value="some" isChosen={!isAll} onChoose={() => onChoose(false)}>
        {some}
      </Option>
    </Choices>
  );
}

function TypeChoices({ chosen }: { chosen: readonly string[] }) {
  return EVENT_GROUPS.map(({ id, name, types }) => (
    <Choices key={id} name="types" legend={name}>
      {types.map((type) => (
        <Option key={type} type="checkbox" name="types" value={type} isChosen={chosen.includes(type)}>
          {nameOfType(type)}
        </Option>
      ))}
    </Choices>
  ));
}

function readTypes(fields: Fields): Webhook['types'] {
  const chosen = fields.all('types');
  if (chosen.length === 0) throw new InputError('Choose which events it gets, or all.');
  return EVENT_GROUPS.flatMap(({ types }) => types.filter((type) => chosen.includes(type)));
}

function readProjects(fields: Fields): string[] {
  const chosen = chosenProjects(fields);
  if (chosen.length === 0) throw new InputError('Choose of which projects it gets events, or all.');
  return chosen;
}
