import t from 'tap';
import type { Session } from '../../../src/registry/session.js';
import { LocalListeners } from '../../../src/services/listeners/local-listeners.js';
import { ListenerWarnings } from '../../../src/services/listeners/warnings.js';

t.test('a port that is held by now is answered, also if nobody can tell who listens on it', async (t) => {
  const listeners = new LocalListeners({ probeTargets: new Map(), containerSocket: null });
  const session = {
    readUnfiltered: async () => Promise.reject(new Error('the database is gone')),
  } as unknown as Session;
  const allocation = {
    id: 'some id',
    port: 3100,
    project: 'consilio',
    service: 'web',
    environment: 'default',
    host: 'localhost',
    protocol: 'tcp' as const,
    releasedAt: null,
  };
  const warnings = new ListenerWarnings(listeners);
  t.strictSame(await warnings.addToNew(session, allocation, allocation.port), allocation);
  t.strictSame(await warnings.addToNew(session, { items: [allocation] }, allocation.port), { items: [allocation] });
});
