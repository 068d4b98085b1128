import { type RawBuilder, sql } from 'kysely';
import type { Access } from '../access/access.js';

/**
 * The condition that leaves out what a caller may not see. Every query that reads rows of a project takes it, because this
 * is the only thing that keeps other projects' rows from the caller. Ranges are the exception: everybody may read them.
 * @param column that holds the project
 */
export function visibleTo({ projects }: Access, column = 'project'): RawBuilder<boolean> {
  return projects === null ? sql`true` : sql`${sql.ref(column)} = any(${projects}::text[])`;
}
