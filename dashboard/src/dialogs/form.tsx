import type { ComponentChildren, TargetedSubmitEvent } from 'preact';
import { createContext } from 'preact';
import { useContext, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { makeTextVisible } from '../../../src/input/visible.js';
import { closeDialog } from '../place.js';
import { describeFailure, type Problem, Refusal } from '../registry/api.js';

/**
 * A modal `<dialog>`: the browser keeps the focus inside it, and gives it first to what has to be typed. When it
 * closes, the focus returns to where it was, or where that is gone, to the content of the page.
 */
export function Modal({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose(): unknown;
  children: ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  // Not after the next frame: by then what the action has opened, such as the details of a port, may have the focus.
  useLayoutEffect(() => {
    const element = dialog.current;
    const opener = document.activeElement;
    element?.showModal();
    element?.querySelector<HTMLElement>('input:invalid, textarea:invalid')?.focus();
    // What is proposed is replaced by what is typed, as it is where Tab leads to a field.
    if (document.activeElement instanceof HTMLInputElement) document.activeElement.select();
    return () => {
      element?.close();
      if (opener instanceof HTMLElement) opener.focus();
      // The element that opened the dialog may be gone, as is a port's Release button once the port is released.
      if (document.activeElement === document.body) document.querySelector('main')?.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class="modal"
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        void onClose();
      }}
      // A browser may close it without asking. One that the page has closed is off the page by now.
      onClose={({ currentTarget }) => currentTarget.isConnected && void closeDialog()}
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
  onClose(): unknown;
  /** @throws an error, at once or later, which the form shows */
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
    try {
      await action(new Fields(new FormData(event.currentTarget)));
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  return (
    <form onSubmit={onSubmit}>
      <Errors.Provider value={error instanceof Refusal ? error.problem?.errors : undefined}>{children}</Errors.Provider>
      <div role="alert">{error !== null && <p class="refusal">{describeFailure(error)}</p>}</div>
      <div class="buttons">
        <button type="button" class="button" onClick={() => void onClose()}>
          {keep}
        </button>
        <button type="submit" class={danger ? 'button danger' : 'button primary'} aria-disabled={busy}>
          {submit}
        </button>
      </div>
    </form>
  );
}

/**
 * What the service said is wrong with a field, or with one of the values of a field that has several; else undefined.
 */
export function useFieldError(name: string): string | undefined {
  // The pointer of a field error ends with the field's name, whether the field is in the body or in the path.
  const nameIn = (pointer: string) => pointer.split('/').findLast((part) => !/^\d+$/.test(part));
  const error = useContext(Errors)?.find(({ pointer }) => nameIn(pointer) === name)?.detail;
  return error === undefined ? undefined : makeTextVisible(error);
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
  const error = useFieldError(name);
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

  /** The values of all controls of this name that are chosen or filled in. */
  all(name: string): string[] {
    return this.data.getAll(name).map(String).filter(Boolean);
  }

  /** The values of a text that has several, with commas or spaces between them. */
  listed(name: string): string[] {
    return this.required(name)
      .split(/[\s,]+/)
      .filter(Boolean);
  }

  /** For a field that is cleared when it is left empty. */
  orNull(name: string): string | null {
    return this.required(name) || null;
  }
}

/** Asks before something that others will notice. */
export function Confirm(props: {
  title: string;
  submit: string;
  action(): Promise<void>;
  children: ComponentChildren;
}) {
  const { title, submit, action, children } = props;
  return (
    <Modal title={title} onClose={closeDialog}>
      <Form danger submit={submit} onClose={closeDialog} action={action} keep="Keep it">
        {children}
      </Form>
    </Modal>
  );
}
