import { useRef } from 'preact/hooks';
import { isAdmin, mayChange } from '../../access/own-role.js';
import { formatCount, plural } from '../../format.js';
import { useKeptFocus } from '../../parts/kept-focus.js';
import { go, openDialog, parameter } from '../../place.js';
import { Finding } from './finding.js';
import type { Found } from './found.js';
import { describeKind, type FindingKind } from './kinds.js';
import { LongList } from './long-list.js';
import { select, selectedOf } from './selection.js';
import { nameAll, nameSpots } from './spots.js';

/** How many of a kind are shown until somebody asks for all, so that those of the next kind are not far away. */
const SHOWN_AT_FIRST = 50;

/** The kind of which all findings are shown. */
const whole = parameter('whole');

/** The findings of one kind. */
export function Group({ kind, found }: { kind: FindingKind; found: readonly Found[] }) {
  const { name, meaning, cell, bulk } = describeKind(kind);
  const isSelectable = bulk !== null && (bulk === 'exclude' ? isAdmin.value : mayChange.value);
  const list = useRef<HTMLUListElement>(null);
  const isLong = whole.value === kind && found.length > SHOWN_AT_FIRST;
  useKeptFocus(list, '.finding');
  return (
    <section class="panel findings-group" aria-labelledby={`findings-${kind}`}>
      <h3 id={`findings-${kind}`}>
        <span class={`cell ${cell}`} aria-hidden="true" /> {name} <span class="quiet">{formatCount(found.length)}</span>
      </h3>
      <p class="quiet">{meaning}</p>
      {isSelectable && <Selection kind={kind} bulk={bulk} found={found} />}
      {found.length > SHOWN_AT_FIRST && (
        <button type="button" class="more" aria-expanded={isLong} onClick={() => go({ whole: isLong ? null : kind })}>
          {isLong ? `Show the first ${SHOWN_AT_FIRST}` : `Show all ${formatCount(found.length)}`}
        </button>
      )}
      <ul ref={list}>
        {isLong ? (
          <LongList list={list} found={found} isSelectable={isSelectable} />
        ) : (
          found.slice(0, SHOWN_AT_FIRST).map((one) => <Finding key={one.key} found={one} isSelectable={isSelectable} />)
        )}
      </ul>
    </section>
  );
}

/** Selects all findings of a kind, and does with the selected ones what can be done with several at once. */
function Selection(props: { kind: FindingKind; bulk: 'release' | 'exclude'; found: readonly Found[] }) {
  const { kind, bulk, found } = props;
  const selected = selectedOf(found);
  const isAll = selected.length === found.length;
  const ask = () => openDialog(`${bulk}-found`, isAll ? nameAll(kind) : nameSpots(selected));
  return (
    <div class="findings-selection">
      <label>
        <input
          type="checkbox"
          checked={isAll}
          indeterminate={selected.length > 0 && !isAll}
          onChange={() => select(found, !isAll)}
        />
        Select all {formatCount(found.length)}
      </label>
      {selected.length > 0 && (
        <button type="button" class={bulk === 'release' ? 'button danger-quiet' : 'button'} onClick={ask}>
          {bulk === 'release' ? 'Release' : 'Exclude'} {plural(selected.length, 'port')}
        </button>
      )}
    </div>
  );
}
