import { Type } from '@sinclair/typebox';
import { StringEnum } from './common.js';

export const Liveness = Type.Object(
  { status: StringEnum(['alive']) },
  { $id: 'Liveness', description: 'The process is alive.', examples: [{ status: 'alive' }] },
);

export const Readiness = Type.Object(
  {
    status: StringEnum(['ready', 'not-ready']),
    database: StringEnum(['available', 'unavailable'], {
      description: 'Told, but no reason to be unready: clients get our 503 and not the proxy’s.',
    }),
    reason: Type.Optional(Type.String()),
  },
  {
    $id: 'Readiness',
    description: 'Whether this replica takes requests.',
    examples: [{ status: 'ready', database: 'available' }],
  },
);
