import { useEffect, useRef } from 'preact/hooks';
import { ownRole } from '../../access/own-role.js';
import { Link } from '../../parts/links.js';
import { ViewHead } from '../../parts/view-head.js';
import { addressWith, parameter } from '../../place.js';
import { imported, plan } from './plan.js';
import { CheckStep } from './step-check.js';
import { DoneStep } from './step-done.js';
import { SourceStep } from './step-source.js';

const STEPS = [
  ['', 'Choose'],
  ['check', 'Check'],
  ['done', 'Done'],
] as const;
type Step = (typeof STEPS)[number][0];

const wantedStep = parameter('step');

/** Takes ports into the registry on which something listens already. */
export function Import() {
  return (
    <>
      <ViewHead
        title="Import"
        scope="Ports on which something listens already become held, each for the project whose range covers it. You see what would happen before it does."
      />
      {ownRole.value === 'reader' ? <OnlyReads /> : <Steps />}
    </>
  );
}

/** In place of the steps: even to be told what would happen, one needs a key that may do it. */
function OnlyReads() {
  return (
    <p>
      The key of this page has the role reader, which changes nothing. Ask whoever runs the registry for one with the
      role project or admin.
    </p>
  );
}

function Steps() {
  const step = STEPS.find(([id]) => id === wantedStep.value)?.[0] ?? '';
  const heading = useRef<HTMLHeadingElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    // The button that led here is gone, and the focus with it.
    if (!isFirst.current) heading.current?.focus();
    isFirst.current = false;
  }, [step]);
  const index = STEPS.findIndex(([id]) => id === step);
  return (
    <>
      <ol class="steps" aria-label="Steps">
        {STEPS.map(([id, name], at) => (
          <li key={id} aria-current={id === step ? 'step' : undefined}>
            {at < index ? (
              <Link to={addressWith({ step: id, sort: null, rows: null, outcome: null })}>{name}</Link>
            ) : (
              <span>{name}</span>
            )}
          </li>
        ))}
      </ol>
      <h3 ref={heading} tabIndex={-1} class="step-name">
        {TITLES[step]}
      </h3>
      <Content step={step} />
    </>
  );
}

const TITLES: Record<Step, string> = {
  '': 'What is to be imported',
  check: 'What would happen',
  done: 'What has happened',
};

function Content({ step }: { step: Step }) {
  if (step === '') return <SourceStep />;
  if (step === 'check') return plan.value === null ? <Forgotten /> : <CheckStep plan={plan.value} />;
  return imported.value === null ? <Forgotten /> : <DoneStep ports={imported.value} />;
}

/** What was chosen and typed is not in the address: it can be long, and names what runs on a machine. */
function Forgotten() {
  return (
    <p>
      The page was loaded again, and what was chosen is gone.{' '}
      <Link to={addressWith({ step: null, sort: null, rows: null, outcome: null })}>Begin again</Link>
    </p>
  );
}
