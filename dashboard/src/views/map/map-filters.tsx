import { useId } from 'preact/hooks';
import { ownProjectNames } from '../../access/own-projects.js';
import { Choice, StateChoice } from '../../parts/choice.js';
import { SpaceFields } from '../../parts/space-fields.js';
import { go } from '../../place.js';
import { environments, query } from '../../registry/filters.js';
import { VISIBLE_STATES } from '../../registry/states.js';

const all = (values: readonly string[]) => [['', 'All'] as const, ...values.map((value) => [value, value] as const)];
const OTHER_STATES = VISIBLE_STATES.filter((state) => state !== 'held');

/** The port space that the map shows, and what of it is dimmed. */
export function MapFilters() {
  const id = useId();
  return (
    <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      <SpaceFields />
      <label for={id}>
        Find
        <input
          id={id}
          type="search"
          value={query.value}
          placeholder="service, number, text"
          onInput={({ currentTarget }) => go({ q: currentTarget.value }, 'replace')}
        />
      </label>
      <Choice label="Project" name="project" options={all(ownProjectNames.value)} />
      <Choice label="Environment" name="environment" options={all(environments.value)} />
      <StateChoice all="All" states={OTHER_STATES} />
    </form>
  );
}
