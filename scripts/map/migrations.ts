// Finds out which tables and SQL functions of migrations/ some statements use, by their names.
import { readdir, readFile } from 'node:fs/promises';
import { migrationsFolder } from '../../src/database/migrate.js';

export interface SqlObject {
  kind: 'function' | 'table';
  name: string;
  /** The migration that defines it, or that replaces an earlier definition. */
  file: string;
  /** Its definition, without comments. */
  text: string;
}

export interface Migration {
  file: string;
  lines: number;
  used: SqlObject[];
}

/** The migrations that define what the statements name, and what those definitions name in turn. */
export async function migrationsUsedBy(statements: readonly string[]): Promise<Migration[]> {
  const objects = new Map<string, SqlObject>();
  const lines = new Map<string, number>();
  for (const file of (await readdir(migrationsFolder)).filter((name) => name.endsWith('.sql')).sort()) {
    const text = await readFile(`${migrationsFolder}/${file}`, 'utf8');
    lines.set(file, text.split('\n').length - 1);
    for (const object of definitionsIn(file, text)) objects.set(object.name, object);
  }
  const used = new Set<SqlObject>();
  const texts = [...statements];
  for (const text of texts) {
    for (const object of objects.values()) {
      if (used.has(object) || !isNamedIn(text, object)) continue;
      used.add(object);
      texts.push(object.text);
    }
  }
  return [...lines]
    .map(([file, count]) => ({ file, lines: count, used: [...used].filter((object) => object.file === file) }))
    .filter((migration) => migration.used.length > 0);
}

function definitionsIn(file: string, text: string): SqlObject[] {
  const statements = text.replace(/--.*$/gm, '').split(/^(?=(?:create|alter|drop|insert|update)\b)/m);
  return statements.flatMap((statement) => {
    const [, kind, name] = /^create (?:or replace )?(function|table) (\w+)/.exec(statement) ?? [];
    return kind && name ? [{ kind: kind as SqlObject['kind'], name, file, text: statement }] : [];
  });
}

function isNamedIn(text: string, { kind, name }: SqlObject): boolean {
  return new RegExp(kind === 'function' ? `\\b${name}\\s*\\(` : `\\b${name}\\b`).test(text);
}
