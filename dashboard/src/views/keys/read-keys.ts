import { ownRole } from '../../access/own-role.js';
import { useEventsOf } from '../../feed/events-of.js';
import { useLoaded } from '../../parts/loaded.js';
import { type ApiKey, answerOf, api, apiKey, listAll, MAX_PAGE, Refusal } from '../../registry/api.js';

/** The keys of the registry; `refused` where this page may not see them. */
export type KeysRead = { keys: ApiKey[] } | { refused: true };

/** Reads the keys, and again whenever one is made, changed or revoked. */
export function useKeys() {
  return useLoaded(readKeys, [useEventsOf('api-key'), apiKey.value, ownRole.value]);
}

async function readKeys(): Promise<KeysRead> {
  // Where keys are in force, the service has asked this page for one before.
  if (apiKey.value === null || ownRole.value === 'project' || ownRole.value === 'reader') return { refused: true };
  try {
    const query = { limit: MAX_PAGE };
    return {
      keys: await listAll((page) => answerOf(api.GET('/v1/api-keys', { params: { query: { ...query, ...page } } }))),
    };
  } catch (error) {
    if (error instanceof Refusal && error.problem?.code === 'forbidden') return { refused: true };
    throw error;
  }
}

/** A key is sent as `pa_`, its id without the hyphens, and its secret. */
export const isOfThisPage = ({ id }: Pick<ApiKey, 'id'>): boolean =>
  apiKey.value?.startsWith(`pa_${id.replaceAll('-', '')}_`) ?? false;

export const hasExpired = ({ expiresAt }: ApiKey): boolean => expiresAt !== null && Date.parse(expiresAt) <= Date.now();

export const nameOfRole = (role: ApiKey['role']): string => ROLES[role]?.name ?? role;

/** What the roles may do, in the order of how much. */
export const ROLES: Record<ApiKey['role'], { name: string; may: string }> = {
  project: {
    name: 'Project',
    may: 'Everything within its projects, and it sees the ranges of all. For deployments and agents.',
  },
  reader: {
    name: 'Reader',
    may: 'Reads everything but keys and webhooks, and changes nothing: it starts no audits and no probes either.',
  },
  admin: { name: 'Admin', may: 'Everything, keys and ranges included. For those who run the registry.' },
};
