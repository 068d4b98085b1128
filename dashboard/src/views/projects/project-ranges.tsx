import { isAdmin } from '../../access/own-role.js';
import { formatDuration } from '../../duration.js';
import { formatCount } from '../../format.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { FreeText } from '../../parts/free-text.js';
import { openDialog } from '../../place.js';
import type { Range } from '../../registry/api.js';
import { countsOf, type Project } from '../../registry/projects.js';
import { FillBar, FillFigures, RangeName } from './fill.js';

const COLUMNS: readonly Column<Range>[] = [
  {
    id: 'range',
    name: 'Range',
    cell: (range) => <RangeName range={range} />,
  },
  {
    id: 'fill',
    name: 'Fill',
    cell: (range) => (
      <>
        <FillBar counts={countsOf(range)} />
        <span class="quiet">
          <FillFigures counts={countsOf(range)} />
        </span>
      </>
    ),
  },
  { id: 'free', name: 'Free', isNumber: true, cell: ({ availablePorts }) => formatCount(availablePorts) },
  {
    id: 'cooldown',
    name: 'Cooldown',
    cell: ({ reuseCooldownSeconds: seconds }) =>
      seconds === 0 ? <span class="quiet">none</span> : formatDuration(seconds),
  },
  { id: 'description', name: 'Description', cell: (range) => <Description of={range} /> },
  { id: 'actions', name: 'Actions', isNameHidden: true, cell: (range) => <Actions of={range} /> },
];

/** The ranges of a project, and what can be done with them. */
export function ProjectRanges({ project: { name, ranges } }: { project: Project }) {
  return (
    <section aria-labelledby="ranges">
      <div class="section-head">
        <h3 id="ranges">Ranges</h3>
        {isAdmin.value && (
          <button type="button" class="link" onClick={() => openDialog('new-range', name)}>
            Add a range
          </button>
        )}
      </div>
      <DataTable
        caption={`Ranges of ${name}`}
        columns={isAdmin.value ? COLUMNS : COLUMNS.filter(({ id }) => id !== 'actions')}
        rows={ranges}
        keyOf={({ startPort }) => startPort}
        empty="It has no ranges."
      />
    </section>
  );
}

function Description({ of: { description, warnings } }: { of: Range }) {
  return (
    <>
      {description !== null && <FreeText>{description}</FreeText>}
      {warnings.map((warning) => (
        <div key={warning} class="quiet">
          {warning}
        </div>
      ))}
    </>
  );
}

function Actions({ of: { startPort, endPort } }: { of: Range }) {
  const name = `the range ${startPort}–${endPort}`;
  return (
    <div class="row-actions">
      <button
        type="button"
        class="link"
        aria-label={`Change ${name}`}
        onClick={() => openDialog('change-range', String(startPort))}
      >
        Change
      </button>
      <button
        type="button"
        class="link danger-quiet"
        aria-label={`Delete ${name}`}
        onClick={() => openDialog('delete-range', String(startPort))}
      >
        Delete
      </button>
    </div>
  );
}
