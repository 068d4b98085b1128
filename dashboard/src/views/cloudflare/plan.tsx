import { formatClock, plural } from '../../format.js';
import { type Column, DataTable } from '../../parts/data-table.js';
import { FreeText } from '../../parts/free-text.js';
import { useLoaded } from '../../parts/loaded.js';
import { applied, type CloudflareChange, type CloudflareConflict, readPlan } from './read-cloudflare.js';
import { CONFLICTS, describeChange, nameChange, summarize } from './words.js';

const changeColumns: readonly Column<CloudflareChange>[] = [
  { id: 'hostname', name: 'Hostname', cell: ({ hostname }) => <FreeText>{hostname}</FreeText> },
  { id: 'change', name: 'Change', cell: nameChange },
  { id: 'effect', name: 'What it does', cell: (change) => <FreeText>{describeChange(change)}</FreeText> },
];

const conflictColumns: readonly Column<CloudflareConflict>[] = [
  { id: 'hostname', name: 'Hostname', cell: ({ hostname }) => <FreeText>{hostname || 'the tunnel'}</FreeText> },
  { id: 'kind', name: 'Conflict', cell: ({ kind }) => CONFLICTS[kind] },
  { id: 'detail', name: 'What stands in the way', cell: ({ detail }) => <FreeText>{detail}</FreeText> },
];

/** What applying would change, and what it would leave. Cloudflare is asked when it is opened, and on demand. */
export function Plan({ attempt }: { attempt: number }) {
  const { data, error } = useLoaded(
    async () => ({ ...(await readPlan()), readAt: new Date() }),
    [attempt, applied.value],
  );
  return (
    <>
      <section aria-labelledby="plan">
        <div class="section-head">
          <h3 id="plan">Plan</h3>
          <span class="quiet" role="status">
            {data === null ? error === null && 'Asking Cloudflare…' : describePlan(data.changes, data.readAt)}
          </span>
        </div>
        <DataTable
          caption="Changes that applying makes, in their order"
          columns={changeColumns}
          rows={data?.changes ?? null}
          keyOf={({ action, kind, hostname }) => `${action} ${kind} ${hostname}`}
          error={error}
          empty="There is nothing to change: the tunnel and its DNS records are in step with the registry."
        />
      </section>
      {data !== null && data.conflicts.length > 0 && (
        <section aria-labelledby="conflicts">
          <div class="section-head">
            <h3 id="conflicts">Not touched</h3>
            <span class="quiet">{plural(data.conflicts.length, 'conflict')}, for somebody to settle</span>
          </div>
          <DataTable
            caption="What is not as the registry has it, and is left"
            columns={conflictColumns}
            rows={data.conflicts}
            keyOf={({ kind, hostname, detail }) => `${kind} ${hostname} ${detail}`}
            empty=""
          />
        </section>
      )}
    </>
  );
}

function describePlan(changes: readonly CloudflareChange[], readAt: Date): string {
  const asOf = `as of ${formatClock(readAt)}`;
  return changes.length === 0 ? asOf : `${summarize(changes)}, ${asOf}. Nothing is changed yet.`;
}
