import { formatCount } from '../../format.js';
import { ProjectLink } from '../../parts/links.js';
import { space } from '../../registry/filters.js';
import type { Project } from '../../registry/projects.js';
import type { Row } from '../../registry/rows.js';
import { FullnessBadge } from '../projects/fill.js';
import type { Column } from './columns.js';
import type { Group } from './lines.js';
import { RowMenu } from './row-menu.js';
import { SelectMany } from './select-many.js';
import { isSelected, partSelected, select, selectOne } from './selection.js';

interface Place {
  /** What the row is known by while others come and go. */
  id: string;
  /** Among all lines of the table, those that are not in the document included. The head is the first. */
  rowIndex: number;
  /** In the order in which they are shown. */
  columns: readonly Column[];
}

/** The head of a project's rows. */
export function GroupRow({ id, rowIndex, columns, group }: Place & { group: Group }) {
  const { name, project, rows } = group;
  return (
    <tr class="group" data-key={id} aria-rowindex={rowIndex}>
      <td class="select">
        <SelectMany label={`Select all of ${name}`} part={partSelected(rows)} onSelect={(isOn) => select(rows, isOn)} />
      </td>
      <td colSpan={columns.length + 1}>
        <ProjectLink project={name} /> {project !== null && <Fill project={project} />}
      </td>
    </tr>
  );
}

function Fill({ project }: { project: Project }) {
  const { host, protocol } = space.value;
  return (
    <>
      <span class="quiet">
        {formatCount(project.held)} of {formatCount(project.total)} held on {host}, {protocol.toUpperCase()}
      </span>{' '}
      <FullnessBadge project={project} />
    </>
  );
}

/** A number that somebody has. */
export function PortRow({ id, rowIndex, columns, row }: Place & { row: Row }) {
  const isOn = row.held !== null && isSelected(row.held.id);
  return (
    <tr class={isOn ? 'port selected' : 'port'} data-key={id} aria-rowindex={rowIndex}>
      <td class="select">
        {row.held !== null && (
          <input
            type="checkbox"
            aria-label={`Select ${row.port}, ${row.project}/${row.service}`}
            checked={isOn}
            onClick={(event) => selectOne(row, event.currentTarget.checked, event.shiftKey)}
          />
        )}
      </td>
      {columns.map((column) => (
        <Cell key={column.id} column={column} row={row} />
      ))}
      <td class="actions-column">
        <RowMenu row={row} />
      </td>
    </tr>
  );
}

/** The cell of the service names its row. */
function Cell({ column: { id, cell }, row }: { column: Column; row: Row }) {
  const content = cell(row);
  if (id === 'service') {
    return (
      <th scope="row" class={`column-${id}`}>
        {content}
      </th>
    );
  }
  return <td class={`column-${id}`}>{content}</td>;
}
