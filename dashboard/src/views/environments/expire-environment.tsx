import { useState } from 'preact/hooks';
import { Choices, Option } from '../../dialogs/choices.js';
import { type Fields, Form, Labelled, Modal } from '../../dialogs/form.js';
import { Gone } from '../../dialogs/gone.js';
import { WithLoaded } from '../../dialogs/with-loaded.js';
import { formatDuration } from '../../duration.js';
import { formatMoment } from '../../format.js';
import { tell } from '../../notices.js';
import { useLoaded } from '../../parts/loaded.js';
import { closeDialog } from '../../place.js';
import { InputError } from '../../registry/api.js';
import { describeEnvironment, findEnvironment, type HeldEnvironment, portsOf } from '../../registry/environments.js';

/** In seconds: an hour, which is the shortest, a day, a week, 30 and 90 days, and a year, which is the longest. */
const DURATIONS = [3600, 86_400, 604_800, 2_592_000, 7_776_000, 31_536_000];
const NEVER = 'never';

/** Sets when an environment expires, or that it never does. About `project/environment`. */
export function ExpireEnvironment({ about }: { about: string }) {
  const [project = '', environment = ''] = about.split('/');
  const loaded = useLoaded(async () => ({ found: await findEnvironment({ project, environment }) }), [about]);
  return (
    <WithLoaded title={`When ${about} expires`} loaded={loaded}>
      {({ found }) => (found === null ? <Gone what="The environment" /> : <ExpiryForm of={found} name={about} />)}
    </WithLoaded>
  );
}

function ExpiryForm({ of: environment, name }: { of: HeldEnvironment; name: string }) {
  const { expiresAfterSeconds, expiresAt, onExpiry } = environment;
  const before = expiresAfterSeconds === null ? NEVER : String(expiresAfterSeconds);
  const [chosen, setChosen] = useState(before);
  const save = async (fields: Fields) => {
    const isReleased = fields.required('onExpiry') === 'release';
    await setExpiry(environment, chosen === NEVER ? null : Number(chosen), isReleased ? 'release' : 'tell');
    await closeDialog();
    tell(describe(name, chosen === NEVER ? null : Number(chosen), isReleased));
  };
  return (
    <Modal title={`When ${name} expires`} onClose={closeDialog}>
      <p class="lead">
        {expiresAt === null ? 'Until now it never does.' : `Until now it expires ${formatMoment(expiresAt)}.`} Each use
        puts the time off: a port that is found open or newly allocated, and saving this.
      </p>
      <Form submit="Save" onClose={closeDialog} action={save}>
        <Labelled name="expiresAfterSeconds" label="Expires" required>
          {(control) => (
            <select {...control} value={chosen} onChange={({ currentTarget }) => setChosen(currentTarget.value)}>
              <option value={NEVER}>Never</option>
              {durationsWith(expiresAfterSeconds).map((seconds) => (
                <option key={seconds} value={String(seconds)}>
                  {formatDuration(seconds)} after its last use
                </option>
              ))}
            </select>
          )}
        </Labelled>
        {chosen !== NEVER && (
          <Choices name="onExpiry" legend="Then" required isExplained>
            <Option type="radio" name="onExpiry" value="tell" isChosen={onExpiry !== 'release'}>
              Tell of it by an event, and keep the ports
            </Option>
            <Option type="radio" name="onExpiry" value="release" isChosen={onExpiry === 'release'}>
              Release its ports, unless somebody listens on one of them
            </Option>
          </Choices>
        )}
      </Form>
    </Modal>
  );
}

const durationsWith = (seconds: number | null) =>
  seconds === null || DURATIONS.includes(seconds) ? DURATIONS : [...DURATIONS, seconds].sort((a, b) => a - b);

function describe(name: string, seconds: number | null, isReleased: boolean): string {
  if (seconds === null) return `${name} never expires.`;
  return `${name} expires ${formatDuration(seconds)} after its last use, and is ${isReleased ? 'released' : 'kept'} then.`;
}

async function setExpiry(
  environment: HeldEnvironment,
  expiresAfterSeconds: number | null,
  onExpiry: 'tell' | 'release',
): Promise<void> {
  const [first] = portsOf(environment);
  if (first === undefined) throw new InputError('The environment is gone: its last port was released.');
  await describeEnvironment(first, { expiresAfterSeconds, ...(expiresAfterSeconds !== null && { onExpiry }) });
}
