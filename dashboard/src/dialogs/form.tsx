import type { ComponentChildren, TargetedSubmitEvent } from 'preact';
import { createContext } from 'preact';
import { useContext, useEffect, useId, useRef, useState } from 'preact/hooks';
import { makeTextVisible } from '../../../src/input/visible.js';
import { describeFailure, type Problem, Refusal } from '../registry/api.js';

/** A modal `<dialog>`: the browser keeps the focus inside it. When it closes, the focus returns to where it was. */
export function Modal({ title, onClose, children }: { title: string; onClose(): void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current;
    const opener = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      // The element that opened the dialog may be gone, as is a port's Release button once the port is released.
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
  /** The action cannot be undone. */
  danger?: boolean;
  onClose(): void;
  /** @throws an error, which the form shows */
  action(fields: Fields): Promise<void>;
  children: ComponentChildren;
}

/** A form that sends only once at a time, and shows next to each field what the service refused about it. */
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

/** A control with its label, and below it a hint, or what the service said is wrong with its value. */
export function Labelled(props: FieldProps & { children(control: Control): ComponentChildren }) {
  const { name, label, required = false, hint, children } = props;
  const id = useId();
  // The pointer of a field error ends with the field's name, whether the field is in the body or in the path.
  const error = useContext(Errors)?.find(({ pointer }) => pointer.split('/').at(-1) === name)?.detail;
  const note = error === undefined ? hint : makeTextVisible(error);
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
  /** Values to choose from. Others can be typed. */
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

/** The values of a form. */
export class Fields {
  constructor(private readonly data: FormData) {}

  required(name: string): string {
    return String(this.data.get(name) ?? '').trim();
  }

  /** An object with the field, or without it if it was left empty. */
  optional<Name extends string>(name: Name): { [name in Name]?: string } {
    const text = this.required(name);
    return (text === '' ? {} : { [name]: text }) as { [name in Name]?: string };
  }

  /** For a field that is cleared when it is left empty. */
  orNull(name: string): string | null {
    return this.required(name) || null;
  }
}
