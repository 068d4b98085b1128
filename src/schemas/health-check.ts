import { type Static, Type } from '@sinclair/typebox';
import { Host, Nullable, Page, PortNumber, StringEnum, Timestamp, Uuid } from './common.js';

export const ProbeOutcome = StringEnum(['open', 'refused', 'timeout', 'unreachable'], {
  description:
    '`open`: something accepts connections. `refused`: nothing listens. `timeout`: no answer in time. ' +
    '`unreachable`: no way to the host. The last two say nothing about the service.',
});

const healthCheckExample = {
  id: '5d1c6f0a-8d0b-4f0e-9a57-2f5a3c1f7e64',
  allocationId: '0b4e1d1e-6d3c-4a8f-9d55-0f7f6a3f2c11',
  port: 3100,
  host: 'localhost',
  outcome: 'open',
  responseTimeMs: 0.412,
  error: null,
  checkedAt: '2026-01-31T12:05:00.000Z',
};

export const HealthCheck = Type.Object(
  {
    id: Uuid,
    allocationId: Uuid,
    port: PortNumber,
    host: Host,
    outcome: ProbeOutcome,
    responseTimeMs: Nullable(Type.Number({ minimum: 0 }), {
      description: 'Until the connection was accepted or refused; `null` without an answer.',
    }),
    error: Nullable(Type.String(), { description: 'What the network said; `null` when open.' }),
    checkedAt: Timestamp,
  },
  { $id: 'HealthCheck', description: 'The result of one TCP connection attempt.', examples: [healthCheckExample] },
);
export type HealthCheck = Static<typeof HealthCheck>;

export const HealthCheckPage = Page(HealthCheck, {
  $id: 'HealthCheckPage',
  description: 'A page of health checks, newest first.',
  examples: [{ items: [healthCheckExample], nextCursor: null }],
});

export const NewHealthCheck = Type.Object(
  {},
  {
    $id: 'NewHealthCheck',
    additionalProperties: false,
    description: 'Nothing to say: `{}`, or no body.',
    examples: [{}],
  },
);
