import { Choice, ProjectChoice } from '../../parts/choice.js';
import { CopyButton } from '../../parts/copy.js';
import { ViewHead } from '../../parts/view-head.js';
import { environment, host, hosts, project } from '../../registry/filters.js';
import { held } from '../../registry/store.js';
import { commandLineOf, curlLineOf } from './commands.js';
import { DEFAULT_FORMAT, FORMATS, readFormat, type Wanted } from './formats.js';
import { Preview } from './preview.js';

/** What is held, as other programs read it. */
export function Exports() {
  const wanted: Wanted = {
    format: readFormat(),
    ...(project.value !== '' && { project: project.value }),
    ...(environment.value !== '' && { environment: environment.value }),
    ...(host.value !== '' && { host: host.value }),
  };
  return (
    <>
      <ViewHead
        title="Exports"
        scope="What is held, as other programs read it. What is below is what they get from the same address."
      />
      <div class="filters">
        <Choice
          label="Format"
          name="format"
          options={Object.entries(FORMATS).map(
            ([format, { name }]) => [format === DEFAULT_FORMAT ? '' : format, name] as const,
          )}
        />
        <ProjectChoice />
        <Choice
          label="Environment"
          name="environment"
          options={[['', 'All environments'], ...named(environmentsOfProject())]}
        />
        <Choice label="Host" name="host" options={[['', 'All hosts'], ...named(hosts.value)]} />
      </div>
      <p class="quiet">{FORMATS[wanted.format].use}</p>
      <Preview key={JSON.stringify(wanted)} wanted={wanted} />
      <dl class="commands">
        <Command name="The same into a file" text={curlLineOf(wanted)} label="the curl line" />
        <Command name="Kept up to date in a file" text={commandLineOf(wanted)} label="the pa line" />
      </dl>
    </>
  );
}

const named = (values: readonly string[]) => values.map((value) => [value, value] as const);

function environmentsOfProject(): string[] {
  const found = new Set<string>();
  for (const one of held.value.values()) {
    if (project.value === '' || one.project === project.value) found.add(one.environment);
  }
  return [...found].sort();
}

function Command({ name, text, label }: { name: string; text: string; label: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <code>{text}</code> <CopyButton text={text} label={label} />
      </dd>
    </div>
  );
}
