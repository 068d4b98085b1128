// Which project has a Cloudflare hostname, and from whom it is withheld.
import t from 'tap';
import type { ProjectCommand } from '../../src/allocator/decide.js';
import { allocate, decide, decideOne, getOrAllocate, key, release } from '../helpers/project-commands.js';
import { held, NOW, type Rows, range, secondsFromNow } from '../helpers/project-facts.js';

const HOSTNAME = 'www.corp.example';
const since = secondsFromNow(-60);
const details = { cloudflareHostname: HOSTNAME };
const routed = held(3000, { cloudflare_hostname: HOSTNAME });
const withheld = held(3000, { cloudflare_hostname: HOSTNAME, hostname_withheld_at: since });
const update = (details: object) => ({ kind: 'update', id: 'allocation of 3000', details }) as const;
const ofOther: Partial<Rows> = { hostnamesOfOthers: [HOSTNAME] };
const cooling = { ranges: [range(3000, 3003, 60)] };

/** The hostname of the only row that is written, and since when it is withheld. */
function writtenHostname(rows: Partial<Rows>, command: ProjectCommand) {
  const { inserted, updated } = decide(rows, command).lastRound;
  const [row] = [...inserted, ...updated];
  return row && [row.cloudflare_hostname, row.hostname_withheld_at];
}

t.test('a hostname of another project is stored and withheld, by whatever command it is set', async (t) => {
  const rows = { allocations: [held(3000)], ...ofOther };
  const commands: ProjectCommand[] = [
    allocate('web', { details }),
    getOrAllocate('web', { details }),
    getOrAllocate('api', { details }),
    { kind: 'allocate-environment', services: [{ key: key('web'), details }] },
    update(details),
    { kind: 'update-service', key: key('api'), details },
  ];
  for (const command of commands) t.same(writtenHostname(rows, command), [HOSTNAME, NOW], command.kind);
  t.same(writtenHostname({}, allocate('web', { details })), [HOSTNAME, null], 'it is free');
});

t.test('the answer says that nothing is routed, until the allocation is released', async (t) => {
  const { warnings } = decideOne({ allocations: [withheld], ...ofOther }, update({ description: 'x' }));
  t.match(warnings, [new RegExp(`^${HOSTNAME} is not routed to this port: when it was set \\(2026-01-02T03:03:05`)]);
  t.notOk('warnings' in decideOne({ allocations: [withheld], ...ofOther }, release('allocation of 3000')));
  t.notOk('warnings' in decideOne({ allocations: [routed] }, update({ description: 'x' })));
});

t.test(
  'a hostname that is withheld is looked at again when it is set again, and not by any other change',
  async (t) => {
    const free = { allocations: [withheld] };
    t.same(writtenHostname(free, update(details)), [HOSTNAME, null]);
    t.same(writtenHostname(free, getOrAllocate('api', { details })), [HOSTNAME, null]);
    t.same(writtenHostname(free, update({ description: 'x' })), [HOSTNAME, since]);
    t.same(writtenHostname(free, update({ cloudflareHostname: null })), [null, null]);
    t.same(writtenHostname(free, update({ cloudflareHostname: 'free.example' })), ['free.example', null]);
    const { written } = decide({ allocations: [withheld], ...ofOther }, update(details));
    t.same(written, {}, 'while another project has it, nothing changes, not even since when it is withheld');
  },
);

t.test('who has a hostname keeps it, whatever else is changed', async (t) => {
  t.same(decide({ allocations: [routed] }, update(details)).written, {});
  t.same(writtenHostname({ allocations: [routed] }, update({ description: 'x' })), [HOSTNAME, null]);
});

t.test('a hostname that is given up is kept for the cooldown of the port’s range', async (t) => {
  const keptBy = (rows: Partial<Rows>, command: ProjectCommand) => [
    ...decide(rows, command).state.writes.keptHostnames,
  ];
  const kept = [[HOSTNAME, secondsFromNow(60)]];
  const rows = { ...cooling, allocations: [routed] };
  t.same(keptBy(rows, release('allocation of 3000')), kept);
  t.same(keptBy(rows, { kind: 'release-service', key: key('api') }), kept);
  t.same(keptBy(rows, update({ cloudflareHostname: null })), kept);
  t.same(keptBy(rows, update({ cloudflareHostname: 'other.example' })), kept);
  t.same(keptBy(rows, update({ description: 'x' })), []);
  t.same(keptBy({ allocations: [routed] }, release('allocation of 3000')), [], 'without a cooldown it is free at once');
  const never = { ...cooling, allocations: [withheld] };
  t.same(keptBy(never, release('allocation of 3000')), [], 'what was withheld was never had');
});
