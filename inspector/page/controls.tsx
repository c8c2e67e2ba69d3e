/** What the embedding program lets the page do: one button each, with a small form where it needs to know something. */
import { useRef, useState } from 'preact/hooks';
import type { Control } from '../feed.ts';
import { usePage } from './context.ts';

export function Controls() {
  const { store } = usePage();
  return (
    <>
      {store.controls.map((control) => (
        <ControlButton key={control.name} control={control} />
      ))}
    </>
  );
}

function ControlButton({ control }: { readonly control: Control }) {
  const { connection } = usePage();
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | undefined>();
  const asks = control.harsh === true || (control.fields?.length ?? 0) > 0;
  const run = async (fields: Record<string, string>) => {
    setBusy(true);
    const failure = await connection.control(control.name, fields);
    setBusy(false);
    setError(failure);
    if (failure === undefined) dialog.current?.close();
    else if (dialog.current?.open === false) dialog.current.showModal();
  };
  const open = () => {
    setError(undefined);
    dialog.current?.showModal();
  };
  return (
    <>
      <button
        type="button"
        class={control.harsh ? 'harsh' : ''}
        disabled={busy}
        onClick={() => (asks ? open() : run({}))}
        data-control={control.name}
      >
        {control.title}
      </button>
      <dialog ref={dialog} aria-label={control.title}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const entries = [...new FormData(event.currentTarget)].map(([key, value]) => [key, String(value)]);
            run(Object.fromEntries(entries));
          }}
        >
          <h2>{control.title}</h2>
          {control.fields?.map((field) => (
            <label key={field.name} for={`${control.name}-${field.name}`}>
              <span>{field.name}</span>
              {field.choices === undefined ? (
                <input id={`${control.name}-${field.name}`} name={field.name} value={field.value ?? ''} />
              ) : (
                <select id={`${control.name}-${field.name}`} name={field.name} value={field.value}>
                  {field.choices.map((choice) => (
                    <option key={choice}>{choice}</option>
                  ))}
                </select>
              )}
            </label>
          ))}
          {error !== undefined && <p class="error">{error}</p>}
          <div class="row">
            <button type="button" onClick={() => dialog.current?.close()}>
              Not now
            </button>
            <button type="submit" class="primary" disabled={busy}>
              {control.title}
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
