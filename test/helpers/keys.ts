import { sql } from 'kysely';
import type { Database } from '../../src/database/connect.js';
import type { requester } from './app.js';

export const ADMIN_KEY = 'a'.repeat(40);
/** Configuration with keys in force. */
export const WITH_KEYS = { ADMIN_API_KEY: ADMIN_KEY };

export const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
export const ADMIN = bearer(ADMIN_KEY);

type Request = ReturnType<typeof requester>;

/** Makes a key as an administrator does. */
export async function makeKey(
  request: Request,
  role: 'admin' | 'project' | 'reader',
  ...projects: string[]
): Promise<{ id: string; key: string }> {
  const name = [role, ...projects].join(' ');
  const { status, body, text } = await request('POST', '/v1/api-keys', { name, role, projects }, ADMIN);
  if (status !== 201) throw new Error(text);
  return body;
}

/** Makes a key expire now. */
export async function expireKey({ db }: Pick<Database, 'db'>, id: string): Promise<void> {
  await sql`update api_keys set expires_at = clock_timestamp() - interval '1 second' where id = ${id}`.execute(db);
}
