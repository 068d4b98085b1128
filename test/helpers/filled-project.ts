import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../../src/database/tables.js';
import { releaseAllocation } from '../../src/registry/allocations.js';
import { keepAudit } from '../../src/registry/audits.js';
import { insertHealthChecks } from '../../src/registry/health-checks.js';
import { updateRange } from '../../src/registry/ranges.js';
import { Registry } from '../../src/registry/registry.js';
import { Audit } from '../../src/schemas/audit.js';
import { getOrAllocate, reserve } from './project-commands.js';

/** Gives a project something of everything that a caller could see, with `word` in every name and description. */
export async function fillProject(db: Kysely<Tables>, project: string, startPort: number, word: string) {
  const session = new Registry(db).asBackground();
  await updateRange(session, startPort, { description: `${word} range`, reuseCooldownSeconds: 3600 });
  const hold = async (service: string, given: object, details: object) => {
    const command = getOrAllocate(`${word}-${service}`, { project, ...given, details });
    return (await session.execute(project, command)).allocation;
  };
  const description = { description: `${word} words`, serviceType: word, metadata: { team: word } };
  const api = await hold(
    'api',
    { environment: `${word}-first` },
    { ...description, cloudflareHostname: 'shared.example.com' },
  );
  await hold('web', { environment: word }, { ...description, cloudflareHostname: `${word}.example.com` });
  await releaseAllocation(session, (await hold('released', { host: `${word}-host` }, description)).id);
  const probe = { port: api.port, host: api.host, outcome: 'timeout' as const, responseTimeMs: null };
  await insertHealthChecks(session, [{ allocationId: api.id, ...probe, error: `${word} error` }]);
  await sql`
    insert into environments (project, environment, path)
    values (${project}, ${word}, '/shared'), (${project}, ${`${word}-first`}, ${`/${word}/folder`})`.execute(db);
  const texts = { service: `${word}-reserved`, reservedBy: `${word} ci`, reason: `${word} reason` };
  // The tests that look for it may begin minutes later, behind those of other files in the same process.
  const { reservation } = await session.execute(project, reserve({ ...texts, ttlSeconds: 3600 }));
  await sql`
    insert into api_keys (id, name, role, projects, hash, created_by)
    values (${randomUUID()}, ${`${word} key`}, 'project', ${[project]}, ${Buffer.alloc(32)}, ${`${word} admin`})`.execute(
    db,
  );
  return { api: api.id, reservation, audit: await insertAudit(db, { project }, word) };
}

/** Keeps an audit with `word` in what it found. */
export async function insertAudit(db: Kysely<Tables>, scope: { project?: string }, word: string): Promise<string> {
  const { id: _, ...figures } = Audit.examples[0] as Audit;
  const conflicts = figures.conflicts.map((conflict) => ({
    ...conflict,
    project: null,
    expected: word,
    detail: `${word} conflict`,
  }));
  return (await keepAudit(new Registry(db).asBackground(), scope, { ...figures, conflicts }, `${word}-key`)).id;
}

/** A webhook of a project, with one delivery. Returns its id. */
export async function insertWebhook(db: Kysely<Tables>, project: string, word: string): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    with made as (
      insert into webhooks (url, projects, description, secret, created_by, position)
      values ('http://localhost:1/', array[${project}], ${`${word} webhook`}, '', '', 0) returning id
    )
    insert into webhook_deliveries (webhook_id, position, type, project, error)
    select id, 1, 'service.down', ${project}, ${`${word} delivery`} from made returning webhook_id as id`.execute(db);
  return rows[0]?.id ?? '';
}

/** The ids of what a project holds, and of what is told of it. */
export async function readIds(db: Kysely<Tables>, project: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from port_allocations where project = ${project}
    union all select id from port_reservations where project = ${project}
    union all select id from port_audits where project = ${project}
    union all select c.id from port_health_checks c join port_allocations a on a.id = c.allocation_id
      where a.project = ${project}`.execute(db);
  return rows.map(({ id }) => id);
}
