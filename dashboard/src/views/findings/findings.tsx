import { formatCount } from '../../format.js';
import { Choice, optionsOf, ProjectChoice } from '../../parts/choice.js';
import { ViewHead } from '../../parts/view-head.js';
import { go } from '../../place.js';
import { hosts } from '../../registry/filters.js';
import { RunAudit } from '../audits/audit-status.js';
import { CheckedParts, Scope } from './checked.js';
import { checked, foundByKind, kind, scopeOfFilters, whereLookedFor } from './found.js';
import { Group } from './group.js';
import { type FindingKind, KINDS, WORST_FIRST } from './kinds.js';

/** Where registry and reality differ, as far as the kept audits tell. */
export function Findings() {
  const shown = [...foundByKind.value.keys()].filter((one) => kind.value === null || kind.value === one);
  const groups = shown.flatMap((one) => {
    const found = foundByKind.value.get(one) ?? [];
    return found.length === 0 ? [] : [{ one, found }];
  });
  return (
    <>
      <ViewHead title="Findings" scope={<Scope />}>
        <RunAudit scope={scopeOfFilters()} button="button primary" />
      </ViewHead>
      <Filters />
      <Tiles />
      <CheckedParts />
      {groups.length === 0 && <Nothing />}
      {groups.map(({ one, found }) => (
        <Group key={one} kind={one} found={found} />
      ))}
    </>
  );
}

function Filters() {
  return (
    <div class="filters">
      <ProjectChoice />
      <Choice label="Host" name="host" options={optionsOf('All hosts', hosts.value)} />
    </div>
  );
}

/** How many of each kind there are. Each is a button that shows its kind alone. */
function Tiles() {
  return (
    <section class="findings-tiles" aria-label="Kinds of findings">
      {WORST_FIRST.map((one) => (
        <Tile key={one} of={one} />
      ))}
    </section>
  );
}

function Tile({ of }: { of: FindingKind }) {
  const count = foundByKind.value.get(of)?.length ?? 0;
  const where = whereLookedFor(of);
  const isPressed = kind.value === of;
  const isBad = count > 0 && KINDS[of].cell === 'conflict';
  return (
    <button
      type="button"
      class={isBad ? 'tile bad' : 'tile'}
      aria-pressed={isPressed}
      onClick={() => go({ kind: isPressed ? null : of })}
    >
      <span class="tile-name">{KINDS[of].name}</span>
      <span class="tile-value">{count === 0 && where.looked.length === 0 ? '–' : formatCount(count)}</span>
      <span class="tile-more">{describeUnchecked(where)}</span>
    </button>
  );
}

/** Where nobody has looked for a kind: a 0 does not say that there is nothing there. */
function describeUnchecked({ looked, not }: ReturnType<typeof whereLookedFor>): string {
  if (looked.length === 0) return 'not checked yet';
  const hosts = [...new Set(not.map(({ host }) => host))];
  const areUnknownHosts = hosts.every((host) => looked.every((place) => place.host !== host));
  if (hosts.length === 0) return '';
  return areUnknownHosts && hosts.length <= 2 ? `not checked on ${hosts.join(', ')}` : 'not checked everywhere yet';
}

/** Says what it means that nothing is shown: that nothing is wrong only where somebody has looked. */
function Nothing() {
  const wanted = kind.value;
  const isAnyChecked = checked.value.some(({ audit }) => audit !== null);
  // Of all kinds, this is the one that not every audit looks for.
  const { looked, not } = whereLookedFor(wanted ?? 'squatter');
  const isChecked = wanted === null ? isAnyChecked : looked.length > 0;
  const of = wanted === null ? '' : ` of the kind “${KINDS[wanted].name}”`;
  return (
    <section class="panel" aria-labelledby="nothing-found">
      <h3 id="nothing-found">{isChecked ? `Nothing${of} was found` : 'Not checked yet'}</h3>
      <p class="quiet">
        {!isChecked && 'No audit that is kept has looked. An audit probes the ports, and changes nothing.'}
        {isChecked && not.length > 0 && 'Not every part was checked, so that this says nothing of the rest.'}
        {isChecked && not.length === 0 && 'Registry and reality agree, as far as the last audits could see.'}
      </p>
    </section>
  );
}
