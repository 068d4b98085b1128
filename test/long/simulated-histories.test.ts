// The history checker accepts what a correct service may answer, and detects every fault that is planted.
import fc from 'fast-check';
import t from 'tap';
import { checkHistory } from '../helpers/history/check.js';
import { type Fault, simulate } from '../helpers/history/simulate.js';
import { holds } from '../helpers/properties.js';

/** Enough ports that a faulty service can skip one, and few enough to run out. */
const SIMULATED_PORTS = [3000, 3001, 3002, 3003, 3004, 3005, 3006];

t.test('every history of concurrent callers of a correct service is accepted', async (t) => {
  const property = fc.property(fc.integer(), (seed) => {
    const { violations } = checkHistory(
      simulate({ seed, callers: 4, operations: 200, ports: SIMULATED_PORTS }),
      () => SIMULATED_PORTS,
    );
    return violations.length === 0;
  });
  await holds(t, property, { numRuns: 30 });
});

/** In how many of five histories each fault is caught at least: now and then another call excuses it. */
const FAULTS = {
  forgets: 4,
  'hands out twice': 4,
  'skips a gap': 4,
  'reads late': 4,
  'frees the next holder': 4,
  'gives out what is excluded': 4,
  'takes another port than the preferred one': 3,
} satisfies Partial<Record<Fault, number>>;

for (const [fault, least] of Object.entries(FAULTS) as [Fault, number][]) {
  t.test(`a service that ${fault}, now and then, is caught`, async (t) => {
    let caught = 0;
    for (let seed = 1; seed <= 5; seed++) {
      const history = simulate({ seed, callers: 4, operations: 400, ports: SIMULATED_PORTS, fault });
      if (checkHistory(history, () => SIMULATED_PORTS).violations.length > 0) caught++;
    }
    t.ok(caught >= least, `${caught} of 5`);
  });
}
