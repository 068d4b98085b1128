// What an audit by a key of some projects takes away from what others know: nothing.
import t from 'tap';
import { importOfDashboard, replaceGlobals } from '../helpers/dashboard-module.js';

type Finding = { project: string; port: number };
const AT = { host: 'localhost', protocol: 'tcp' };
const heldBy = (project: string, port: number, allocatedAt = '2026-01-31T11:00:00.000Z') => ({
  ...{ id: `${port}`, project, service: 'api', environment: 'default', port, ...AT, status: 'allocated' },
  ...{ allocatedAt, lastUsedAt: null, cloudflareHostname: null },
});
const found = (kind: string, project: string, port: number) => ({
  ...{ kind, project, port, ...AT },
  service: kind === 'squatter' ? null : 'api',
});
const FINDINGS = [
  ...[found('not-running', 'consilio', 3100), found('squatter', 'consilio', 3150)],
  ...[found('not-running', 'odin', 3300), found('squatter', 'odin', 3350)],
];
const audit = (id: string, covers: string[] | null, minute: number, conflicts: object[]) => ({
  ...{ id, project: null, host: null, covers, unallocated: true, fullyProbedHosts: ['localhost'] },
  ...{ checkedAt: `2026-01-31T12:0${minute}:00.000Z`, durationMs: 1000, conflicts },
});
const everything = audit('everything', null, 1, FINDINGS);
const byKeyOfOdin = audit('by a key of odin', ['odin'], 5, [found('not-running', 'odin', 3300)]);

t.test('an audit by a key of some projects', async (t) => {
  replaceGlobals(t, { window: {}, document: { baseURI: 'http://localhost/' } });
  const { auditOf, audits, findings, held, listAuditsUntilAllIsCovered, ranges, stateOf } = await importOfDashboard<{
    auditOf(project: string, host: string): { id: string } | null;
    audits: { value: object[] };
    findings: { value: Finding[] };
    held: { value: Map<string, object> };
    listAuditsUntilAllIsCovered(known: object[], hosts: () => Set<string>): Promise<{ id: string }[]>;
    ranges: { value: object[] };
    stateOf(spot: object): string;
  }>('registry/store.ts', 'registry/audits.ts', 'registry/kept-audits.ts', 'registry/states.ts');

  t.beforeEach(() => {
    ranges.value = [
      { startPort: 3100, endPort: 3199, project: 'consilio' },
      { startPort: 3300, endPort: 3399, project: 'odin' },
    ];
    held.value = new Map([
      ['3100', heldBy('consilio', 3100)],
      ['3101', heldBy('consilio', 3101, '2026-01-31T12:03:00.000Z')],
      ['3300', heldBy('odin', 3300)],
    ]);
    audits.value = [byKeyOfOdin, everything];
  });

  t.test('the findings of other projects stay', async (t) => {
    const ports = findings.value.map(({ port }) => port).sort();
    t.same(ports, [3100, 3150, 3300], 'and the squatter of odin is gone');
    t.equal(auditOf('consilio', 'localhost')?.id, everything.id);
    t.equal(auditOf('odin', 'localhost')?.id, byKeyOfOdin.id);
  });

  t.test('what nobody has looked at is not checked yet, and not never seen', async (t) => {
    t.equal(stateOf({ port: 3101, ...AT }), 'unchecked');
    t.equal(stateOf({ port: 3300, ...AT }), 'unseen');
  });

  t.test('the audits are read down to one of everything', async (t) => {
    const oldest = audit('older than one of everything', null, 0, []);
    const kept = [byKeyOfOdin, everything, oldest];
    replaceGlobals(t, {
      fetch: async (request: Request) => {
        const { searchParams } = new URL(request.url);
        const from = Number(searchParams.get('cursor') ?? 0);
        const end = from + Number(searchParams.get('limit'));
        return Response.json({ items: kept.slice(from, end), nextCursor: end < kept.length ? `${end}` : null });
      },
    });
    const read = await listAuditsUntilAllIsCovered([], () => new Set(['localhost']));
    t.same(
      read.map(({ id }) => id),
      [byKeyOfOdin.id, everything.id],
    );
  });
});
