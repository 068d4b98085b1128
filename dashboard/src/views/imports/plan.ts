import { signal } from '@preact/signals';
import { makeIdempotencyKey, type Protocol } from '../../registry/api.js';
import type { Candidate, Names } from './candidates.js';
import {
  checkImport,
  type ImportedPort,
  type ImportReport,
  importPorts,
  type NewImport,
  type Outcome,
} from './send.js';

/** One port of the plan, or a line of the text that cannot be read. */
export interface PlannedPort extends Names {
  /** Which line of the text it is of, or which of the listeners that were chosen. */
  line: number;
  port: number | null;
  host: string;
  protocol: Protocol;
  outcome: Outcome;
  detail: string;
  /** The registry has said that it can be imported, so that it can be left out or named otherwise. */
  isEditable: boolean;
  isWanted: boolean;
  /** It has other names than those of which the registry was asked. */
  isRenamed: boolean;
}

/** What the import would do, as the dry run has told it and people have corrected it. */
export interface Plan {
  isOfText: boolean;
  ports: readonly PlannedPort[];
  passedOver: ImportReport['passedOver'];
  passedOverCount: number;
  /** It was imported, so that it says what was, and not what would be. */
  isImported: boolean;
  /** Each plan is imported under a key of its own: if an answer is lost, the next try is the same request. */
  idempotencyKey: string;
}

/** It lives as long as the page, as the text from which it was made. */
export const plan = signal<Plan | null>(null);
export const typedText = signal('');
/** What the last import of this page has done. */
export const imported = signal<readonly ImportedPort[] | null>(null);

export async function checkText(text: string): Promise<void> {
  takeReport(await checkImport(text), () => undefined, true);
}

export async function checkCandidates(wanted: readonly Candidate[]): Promise<void> {
  const report = await checkImport({
    items: wanted.map(({ listener: { port, host, protocol }, ...names }) => toItem({ port, host, protocol, ...names })),
  });
  takeReport(report, (index) => wanted[index], false);
}

function takeReport(
  report: ImportReport,
  candidateAt: (index: number) => Candidate | undefined,
  isOfText: boolean,
): void {
  const { items, passedOver, counts } = report;
  const ports = items.map((item, index): PlannedPort => {
    const { listener, service = '', environment = '' } = candidateAt(index) ?? {};
    const protocol = listener?.protocol ?? 'tcp';
    const names = item.allocation ?? { service, environment };
    return { ...toldOf(item, protocol), service: names.service, environment: names.environment };
  });
  const idempotencyKey = makeIdempotencyKey();
  plan.value = { isOfText, ports, passedOver, passedOverCount: counts.passedOver, isImported: false, idempotencyKey };
}

function toldOf(
  { line, port, host, outcome, detail }: ImportedPort,
  protocol: Protocol,
): Omit<PlannedPort, keyof Names> {
  const isWanted = outcome === 'adopted';
  return { line, port, host: host ?? '', protocol, outcome, detail, isEditable: isWanted, isWanted, isRenamed: false };
}

export function changePort(line: number, change: Partial<Pick<PlannedPort, 'isWanted' | keyof Names>>): void {
  if (plan.value === null) return;
  const isRenamed = change.service !== undefined || change.environment !== undefined;
  const ports = plan.value.ports.map((one) =>
    one.line === line ? { ...one, ...change, isRenamed: one.isRenamed || isRenamed } : one,
  );
  plan.value = { ...plan.value, ports };
}

/** What is sent to be checked, in this order. */
export const wantedOf = ({ ports }: Plan): PlannedPort[] =>
  ports.filter(({ isWanted, isEditable }) => isWanted && isEditable);

/** What is imported: that of which the registry has said that it can be, under these very names. */
export const readyOf = (current: Plan): PlannedPort[] =>
  wantedOf(current).filter(({ outcome, isRenamed }) => outcome === 'adopted' && !isRenamed);

export const needsCheck = (current: Plan): boolean =>
  current.isImported || wantedOf(current).some(({ isRenamed }) => isRenamed);

/** Asks again what would become of what is wanted, under the names that it has now. */
export async function checkAgain(current: Plan): Promise<void> {
  const wanted = wantedOf(current);
  const { items } = await checkImport({ items: wanted.map(toItem) });
  const ports = withAnswers(current.ports, wanted, items);
  plan.value = { ...current, ports, isImported: false, idempotencyKey: makeIdempotencyKey() };
}

/** Imports what is wanted, under the names that were checked. */
export async function importPlan(current: Plan): Promise<void> {
  const wanted = readyOf(current);
  const { items } = await importPorts({ items: wanted.map(toItem) }, current.idempotencyKey);
  imported.value = items;
  plan.value = { ...current, ports: withAnswers(current.ports, wanted, items), isImported: true };
}

/** @param answers of those that were sent, in their order */
function withAnswers(
  ports: readonly PlannedPort[],
  sent: readonly PlannedPort[],
  answers: readonly ImportedPort[],
): PlannedPort[] {
  const byLine = new Map(sent.map(({ line }, index) => [line, answers[index]]));
  return ports.map((one) => {
    const answer = byLine.get(one.line);
    if (answer === undefined) return one;
    const { outcome, detail, allocation } = answer;
    return { ...one, ...namesOf(allocation ?? one), outcome, detail, isRenamed: false };
  });
}

const namesOf = ({ service, environment }: Names): Names => ({ service, environment });

function toItem(one: Names & { port: number | null; host: string; protocol: Protocol }): NewImport['items'][number] {
  const { port, host, protocol, service, environment } = one;
  return {
    port: port ?? 0,
    host,
    protocol,
    ...(service.trim() !== '' && { service: service.trim() }),
    ...(environment.trim() !== '' && { environment: environment.trim() }),
  };
}
