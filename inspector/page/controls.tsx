/** What the embedding program lets the page do: a button each, and a small form where it asks first or needs to know something. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Control } from '../feed.ts';
import { usePage } from './context.ts';

/** Controls that have room in the header; when there are more, they all go into a menu. */
const mostInline = 2;

export function Controls() {
  const { store, connection } = usePage();
  const menu = useRef<HTMLDivElement>(null);
  const [asked, setAsked] = useState<Control | undefined>();
  const [error, setError] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);
  const run = async (control: Control, fields: Record<string, string>) => {
    setBusy(true);
    const failure = await connection.control(control.name, fields);
    setBusy(false);
    setError(failure);
    // What went wrong is told where it was asked for.
    setAsked(failure === undefined ? undefined : control);
  };
  const press = (control: Control) => {
    if (menu.current?.matches(':popover-open')) menu.current.hidePopover();
    setError(undefined);
    if (control.harsh === true || (control.fields?.length ?? 0) > 0) setAsked(control);
    else run(control, {});
  };
  const buttons = store.controls.map((control) => (
    <button
      type="button"
      key={control.name}
      class={control.harsh ? 'harsh' : ''}
      disabled={busy}
      data-control={control.name}
      onClick={() => press(control)}
    >
      {control.title}
    </button>
  ));
  return (
    <>
      {buttons.length <= mostInline ? (
        buttons
      ) : (
        <>
          <button type="button" popovertarget="controls" aria-haspopup="true">
            Controls ▾
          </button>
          <div ref={menu} id="controls" popover="auto" class="menu-items">
            {buttons}
          </div>
        </>
      )}
      {asked !== undefined && (
        <ControlDialog
          key={asked.name}
          control={asked}
          error={error}
          busy={busy}
          onRun={(fields) => run(asked, fields)}
          onLeave={() => setAsked(undefined)}
        />
      )}
    </>
  );
}

interface ControlDialogProps {
  readonly control: Control;
  readonly error: string | undefined;
  readonly busy: boolean;
  readonly onRun: (fields: Record<string, string>) => void;
  readonly onLeave: () => void;
}

function ControlDialog({ control, error, busy, onRun, onLeave }: ControlDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-label={control.title} onClose={onLeave}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const entries = [...new FormData(event.currentTarget)].map(([key, value]) => [key, String(value)]);
          onRun(Object.fromEntries(entries));
        }}
      >
        <h2>{control.title}</h2>
        {control.fields?.map((field) => (
          <label key={field.name} for={`${control.name}-${field.name}`}>
            <span>{field.title ?? field.name}</span>
            {field.choices === undefined ? (
              <input id={`${control.name}-${field.name}`} name={field.name} defaultValue={field.value ?? ''} />
            ) : (
              <select id={`${control.name}-${field.name}`} name={field.name}>
                {field.choices.map((choice) => (
                  <option key={choice} selected={choice === field.value}>
                    {choice}
                  </option>
                ))}
              </select>
            )}
          </label>
        ))}
        {error !== undefined && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        <div class="row">
          <button type="button" onClick={onLeave}>
            Not now
          </button>
          <button type="submit" class="primary" disabled={busy}>
            {control.title}
          </button>
        </div>
      </form>
    </dialog>
  );
}
