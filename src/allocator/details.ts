// The fields that describe an allocation, and whether they differ from what is stored.
import stringify from 'safe-stable-stringify';
import type { AllocationRow } from '../database/tables.js';
import type { AllocationDetails } from '../schemas/allocation.js';

/**
 * Whether the details could change the allocation: a field that is given differs from what is stored, or a hostname is
 * given that was withheld before, and may be free by now.
 */
export function differs(row: AllocationRow, details: AllocationDetails): boolean {
  const isSetAgain = row.hostname_withheld_at !== null && details.cloudflareHostname !== undefined;
  return isSetAgain || isChange(row, columnsOf(details));
}

/** JSONB keeps no order of keys, so none counts here. */
export function isChange(row: AllocationRow, columns: Partial<AllocationRow>): boolean {
  return Object.entries(columns).some(
    ([column, value]) => stringify(value) !== stringify(row[column as keyof AllocationRow]),
  );
}

export function columnsOf(details: AllocationDetails): Partial<AllocationRow> {
  return {
    ...(details.serviceType !== undefined && { service_type: details.serviceType }),
    ...(details.description !== undefined && { description: details.description }),
    ...(details.cloudflareHostname !== undefined && { cloudflare_hostname: details.cloudflareHostname }),
    ...(details.metadata !== undefined && { metadata: details.metadata }),
  };
}
