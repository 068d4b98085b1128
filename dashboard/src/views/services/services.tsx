import { ViewHead } from '../../parts/view-head.js';
import { host, project, shownRows } from '../../registry/filters.js';
import { rows } from '../../registry/rows.js';
import { AuditStatus } from '../audits/audit-status.js';
import { ConflictsElsewhere, NothingShown, TypedPort } from './beside-table.js';
import { FilterBar } from './filter-bar.js';
import { ServicesTable } from './table.js';
import { TableBar } from './table-bar.js';
import { Tiles } from './tiles.js';

/** What is held and reserved: the first thing that people see. */
export function Services() {
  const scope = { ...(project.value && { project: project.value }), ...(host.value && { host: host.value }) };
  return (
    <>
      <ViewHead title="Services" scope={<AuditStatus scope={scope} />} />
      <Tiles />
      <FilterBar />
      <TypedPort />
      <ConflictsElsewhere />
      {rows.value.length > 0 && <TableBar />}
      {shownRows.value.length > 0 && <ServicesTable />}
      <NothingShown />
    </>
  );
}
