import { computed } from '@preact/signals';
import { useState } from 'preact/hooks';
import { Choice, optionsOf, ProjectChoice, StateChoice } from '../../parts/choice.js';
import { go } from '../../place.js';
import { environment, environments, host, hosts, project, protocol, query, state } from '../../registry/filters.js';

const CHOICES = { host, protocol, project, environment, state };
const FILTERS = { q: query, ...CHOICES };

export const isAnythingFiltered = computed(() => Object.values(FILTERS).some(({ value }) => value.trim() !== ''));

export function showEverything(): void {
  go(Object.fromEntries(Object.keys(FILTERS).map((name) => [name, null])));
}

/** The states that something held or reserved can have. */
const STATES_OF_ROWS = ['in_use', 'stopped', 'unseen', 'unchecked', 'reserved', 'conflict'] as const;

const PROTOCOLS = [
  ['', 'TCP and UDP'],
  ['tcp', 'TCP'],
  ['udp', 'UDP'],
] as const;

/** What is chosen to be shown. On a phone the choices are folded, unless one of them has been made. */
export function FilterBar() {
  const [isUnfolded, setUnfolded] = useState<boolean | null>(null);
  const isOpen = isUnfolded ?? Object.values(CHOICES).some(({ value }) => value !== '');
  return (
    <search class={isOpen ? 'filters service-filters open' : 'filters service-filters'} aria-label="What is shown">
      <label class="search">
        Search
        <input
          type="search"
          value={query.value}
          placeholder="service, port, hostname"
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => go({ q: event.currentTarget.value }, 'replace')}
        />
      </label>
      <button type="button" class="button fold-filters" aria-expanded={isOpen} onClick={() => setUnfolded(!isOpen)}>
        Filters
      </button>
      <Choice name="host" label="Host" options={optionsOf('All hosts', hosts.value)} />
      <Choice name="protocol" label="Protocol" options={PROTOCOLS} />
      <ProjectChoice />
      <Choice name="environment" label="Environment" options={optionsOf('All environments', environments.value)} />
      <StateChoice all="Every state" states={STATES_OF_ROWS} />
    </search>
  );
}
