import type { AuditedAllocation } from '../../repositories/reports/audited-registry.js';
import type { AuditConflict } from '../../schemas/audit.js';

type Subject = Pick<AuditConflict, 'port' | 'host' | 'protocol' | 'project' | 'service' | 'environment'>;

/** What a conflict about a port that is held says of the port and its holder. */
export function subjectOf(allocation: AuditedAllocation): Subject {
  const { port, host, protocol, project, service, environment } = allocation;
  return { port, host, protocol, project, service, environment };
}

/** `shop/web (environment default)` */
export const holderOf = ({ project, service, environment }: AuditedAllocation): string =>
  `${project}/${service} (environment ${environment})`;

/** The same for a conflict that is about no one port of a host. */
export const subjectOfHost = (host: string): Subject => ({
  port: null,
  host,
  protocol: 'tcp',
  project: null,
  service: null,
  environment: null,
});
