import { useRef } from 'preact/hooks';
import { mayChange } from '../../access/own-role.js';
import { formatCount, plural } from '../../format.js';
import { tell } from '../../notices.js';
import { CopyButton } from '../../parts/copy.js';
import { PopUp } from '../../parts/pop-up.js';
import { go, openDialog } from '../../place.js';
import { dotenvOf } from '../../registry/copies.js';
import { shownRows } from '../../registry/filters.js';
import { rows } from '../../registry/rows.js';
import { COLUMNS, DEFAULT_COLUMNS } from './columns.js';
import { isAnythingFiltered, showEverything } from './filter-bar.js';
import { useFocusHandedOn } from './kept-focus.js';
import { isGrouped, nameColumns, shownColumns } from './lines.js';
import { hiddenCount, selected, selectNone } from './selection.js';

/**
 * Above the table, and in sight for as long as the table is: how much is shown, or what can be done with what is
 * selected.
 */
export function TableBar() {
  const count = selected.value.length;
  return (
    <div class="table-bar">
      <p role="status">{count > 0 ? <strong>{describeSelection(count)}</strong> : <Shown />}</p>
      {count > 0 ? <BulkActions /> : isAnythingFiltered.value && shownRows.value.length > 0 && <ShowEverything />}
      <div class="table-settings">
        <label>
          <input
            type="checkbox"
            checked={isGrouped.value}
            onChange={(event) => go({ group: event.currentTarget.checked ? null : 'none' })}
          />{' '}
          By project
        </label>
        <PopUp button="Columns">{() => <ColumnChoice />}</PopUp>
      </div>
    </div>
  );
}

function describeSelection(count: number): string {
  const hidden = hiddenCount.value;
  return `${formatCount(count)} selected${hidden > 0 ? `, ${formatCount(hidden)} of them not shown` : ''}`;
}

function Shown() {
  const total = rows.value.length;
  if (!isAnythingFiltered.value) return <>{plural(total, 'port')}, held or reserved</>;
  return (
    <>
      Showing {formatCount(shownRows.value.length)} of {formatCount(total)}
    </>
  );
}

function ShowEverything() {
  return (
    <button type="button" class="link" onClick={showEverything}>
      Show everything
    </button>
  );
}

function BulkActions() {
  const box = useRef<HTMLDivElement>(null);
  useFocusHandedOn(box);
  const lines = dotenvOf(selected.value);
  return (
    <div ref={box} class="bulk">
      {mayChange.value && (
        <>
          <button type="button" class="button danger-quiet" onClick={() => openDialog('release-selected')}>
            Release
          </button>
          <button type="button" class="button" onClick={() => openDialog('describe-selected')}>
            Describe
          </button>
        </>
      )}
      {'text' in lines ? (
        <CopyButton text={lines.text} label=".env lines">
          Copy .env
        </CopyButton>
      ) : (
        <button type="button" class="copy" onClick={() => tell(lines.problem)}>
          Copy .env
        </button>
      )}
      <button type="button" class="link" onClick={selectNone}>
        Clear
      </button>
    </div>
  );
}

function ColumnChoice() {
  const shown = shownColumns.value.map(({ id }) => id);
  const choose = (id: string, isOn: boolean) => {
    const ids = isOn ? [...shown, id] : shown.filter((one) => one !== id);
    go({ columns: nameColumns(ids) }, 'replace');
  };
  return (
    <fieldset class="column-choice">
      <legend>Columns</legend>
      {COLUMNS.map(({ id, name }) => (
        <label key={id}>
          <input
            type="checkbox"
            checked={shown.includes(id)}
            disabled={shown.length === 1 && shown[0] === id}
            onChange={(event) => choose(id, event.currentTarget.checked)}
          />{' '}
          {name}
        </label>
      ))}
      {nameColumns(shown) !== null && (
        <button type="button" class="link" onClick={() => go({ columns: nameColumns(DEFAULT_COLUMNS) }, 'replace')}>
          As at first
        </button>
      )}
    </fieldset>
  );
}
