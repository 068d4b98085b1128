import type { ComponentChildren, TargetedSubmitEvent } from 'preact';
import { createContext } from 'preact';
import { useContext, useEffect, useId, useRef, useState } from 'preact/hooks';
import { describeFailure, type Problem, Refusal } from '../registry/api.js';

/** A modal dialog of the browser's own: it keeps the focus inside, and gives it back. */
export function Modal({ title, onClose, children }: { title: string; onClose(): void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current;
    const opener = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      // What opened it may be gone, as a port's Release button is once the port is free.
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class="modal"
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <h2 id={heading}>{title}</h2>
      {children}
    </dialog>
  );
}

const Errors = createContext<Problem['errors']>(undefined);

interface FormProps {
  submit: string;
  keep?: string;
  /** Something is lost by it. */
  danger?: boolean;
  onClose(): void;
  /** @throws what is to be shown in the form */
  action(fields: Fields): Promise<void>;
  children: ComponentChildren;
}

/** Sends once at a time, and says next to the fields what the service refused. */
export function Form({ submit, keep = 'Cancel', danger = false, onClose, action, children }: FormProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const onSubmit = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    await action(new Fields(new FormData(event.currentTarget))).catch(setError);
    setBusy(false);
  };
  return (
    <form onSubmit={onSubmit}>
      <Errors.Provider value={error instanceof Refusal ? error.problem?.errors : undefined}>{children}</Errors.Provider>
      <div role="alert">{error !== null && <p class="refusal">{describeFailure(error)}</p>}</div>
      <div class="buttons">
        <button type="button" class="button" onClick={onClose}>
          {keep}
        </button>
        <button type="submit" class={danger ? 'button danger' : 'button primary'} aria-disabled={busy}>
          {submit}
        </button>
      </div>
    </form>
  );
}

interface FieldProps {
  name: string;
  label: string;
  required?: boolean;
  hint?: string;
}

/** What every control has: a label, and below it a hint or what the service said is wrong with it. */
export function Labelled(props: FieldProps & { children(control: Control): ComponentChildren }) {
  const { name, label, required = false, hint, children } = props;
  const id = useId();
  // The service's pointers end in the field's name, in a body as in a path.
  const error = useContext(Errors)?.find(({ pointer }) => pointer.split('/').at(-1) === name)?.detail;
  const note = error ?? hint;
  return (
    <div class="field">
      <label for={id}>
        {label} {!required && <span class="optional">optional</span>}
      </label>
      {children({
        id,
        name,
        required,
        autocomplete: 'off',
        spellcheck: false,
        'aria-invalid': error !== undefined,
        ...(note !== undefined && { 'aria-describedby': `${id}-note` }),
      })}
      {note !== undefined && (
        <p id={`${id}-note`} class={error === undefined ? 'hint' : 'hint wrong'}>
          {note}
        </p>
      )}
    </div>
  );
}

interface Control {
  id: string;
  name: string;
  required: boolean;
  autocomplete: string;
  spellcheck: boolean;
  'aria-invalid': boolean;
  'aria-describedby'?: string;
}

interface TextProps extends FieldProps {
  value?: string;
  placeholder?: string;
  readOnly?: boolean;
  /** What to choose from, where that is known; anything else can be typed too. */
  suggestions?: string[];
}

export function TextField({ value = '', placeholder, readOnly = false, suggestions = [], ...field }: TextProps) {
  return (
    <Labelled {...field}>
      {(control) => (
        <>
          <input
            {...control}
            list={`${control.id}-list`}
            defaultValue={value}
            placeholder={placeholder}
            readOnly={readOnly}
          />
          <datalist id={`${control.id}-list`}>
            {suggestions.map((text) => (
              <option key={text} value={text} />
            ))}
          </datalist>
        </>
      )}
    </Labelled>
  );
}

/** A form's values; what was left empty is absent. */
export class Fields {
  constructor(private readonly data: FormData) {}

  required(name: string): string {
    return String(this.data.get(name) ?? '').trim();
  }

  optional<Name extends string>(name: Name): { [name in Name]?: string } {
    const text = this.required(name);
    return (text === '' ? {} : { [name]: text }) as { [name in Name]?: string };
  }

  /** For what an empty field clears. */
  orNull(name: string): string | null {
    return this.required(name) || null;
  }
}
