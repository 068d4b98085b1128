// What a page that is open for days says of the words of a service that is newer than it.
import t from 'tap';
import { importOfDashboard } from '../helpers/dashboard-module.js';

const { tellTypes } = await importOfDashboard<{ tellTypes(webhook: { types: string[] }): string }>(
  'views/webhooks/words.ts',
);
const { describeKind, kindsFor, WORST_FIRST } = await importOfDashboard<{
  describeKind(kind: string): { name: string };
  kindsFor(findings: { kind: string }[]): string[];
  WORST_FIRST: string[];
}>('views/findings/kinds.ts');

t.test('a webhook gets events of a type that the page does not know, by its own name', async (t) => {
  t.equal(tellTypes({ types: ['range.split', 'audit.finished'] }), 'Audits; range.split');
});

t.test('a finding of a kind that the page does not know comes last, by its own name', async (t) => {
  t.equal(describeKind('stale-lease').name, 'stale-lease');
  t.same(kindsFor([{ kind: 'stale-lease' }, { kind: 'squatter' }]), [...WORST_FIRST, 'stale-lease']);
});
