import { type RawBuilder, sql } from 'kysely';
import type { Access } from '../access/access.js';

/**
 * The condition that leaves out the rows of projects that a caller may not see. Every query over several projects has
 * it. Where the caller names one project, `access.requireProject` refuses instead, and a row that was found by its id
 * is checked with `access.sees`. Ranges are for everybody. test/repositories/visible.test.ts runs every query.
 * @param column that holds the project
 */
export function visibleTo({ projects }: Pick<Access, 'projects'>, column = 'project'): RawBuilder<boolean> {
  return projects === null ? sql`true` : sql`${sql.ref(column)} = any(${projects}::text[])`;
}
