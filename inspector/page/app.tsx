/** The frame of the page: header, the chosen view, and the time below. */
import { useEffect, useState } from 'preact/hooks';
import { ChartView } from './charts/chart-view.tsx';
import { usePage } from './context.ts';
import { Controls } from './controls.tsx';
import { count } from './format.ts';
import { HandoverView } from './handover/handover-view.tsx';
import { passes } from './messages/message-filter.ts';
import { MessageView } from './messages/message-view.tsx';
import { applyTheme, chosenTheme, themes } from './theme.ts';
import { TimeBar } from './time-bar.tsx';
import { type ViewName, views } from './view-state.ts';

const titles: Record<ViewName, string> = { handover: 'Hand-over', charts: 'Charts', messages: 'Messages' };

export function App() {
  const { store, state, connection } = usePage();
  useKeys();
  usePictures();
  return (
    <div class="app">
      <header class="bar">
        <h1>
          <Mark />
          {store.name} <span class="quiet">inspector</span>
        </h1>
        <div class="tabs" role="tablist" aria-label="Views">
          {views.map((view, i) => (
            <button
              type="button"
              key={view}
              role="tab"
              id={`tab-${view}`}
              aria-selected={state.view === view}
              aria-controls="view"
              title={`${titles[view]} (key ${i + 1})`}
              onClick={() => state.show(view)}
            >
              {titles[view]}
            </button>
          ))}
        </div>
        <span class="grow" />
        <Controls />
        <LeftOut />
        <span class={`status ${connection.status.replace(' ', '-')}`} role="status">
          {statusText(connection.status, store.mode)}
        </span>
        <ThemeButton />
      </header>
      <main class="view">
        <div id="view" class="panel" role="tabpanel" aria-labelledby={`tab-${state.view}`}>
          {state.view === 'handover' ? <HandoverView /> : state.view === 'charts' ? <ChartView /> : <MessageView />}
        </div>
      </main>
      <TimeBar />
    </div>
  );
}

function statusText(status: string, mode: string): string {
  switch (status) {
    case 'connected':
      return mode === 'journal' ? 'journal' : 'live';
    case 'lost':
      return 'connection lost, trying again';
    case 'refused':
      return 'refused: open the address that the program printed, with its token';
    case 'other version':
      return 'the program has another version: load this page anew';
    default:
      return 'connecting';
  }
}

/** What the page does not show, in figures. */
function LeftOut() {
  const { skipped } = usePage().store;
  const left = skipped.messages + skipped.snapshots + skipped.slow;
  if (left + skipped.forgotten === 0) return null;
  const words = [
    [skipped.messages, 'data messages were counted but not recorded one by one'],
    [skipped.snapshots, 'states were replaced by newer ones at once'],
    [skipped.slow, 'records did not reach this page because it was too slow'],
    [skipped.forgotten, 'records made room for newer ones'],
  ] as const;
  const title = words.flatMap(([n, what]) => (n > 0 ? `${count(n)} ${what}` : [])).join('\n');
  return (
    <span class="left-out" title={title}>
      {count(left)} not shown
    </span>
  );
}

function ThemeButton() {
  const [theme, setTheme] = useState(chosenTheme());
  const next = themes[(themes.indexOf(theme) + 1) % themes.length]!;
  const symbol = { system: '◐', light: '☀', dark: '☾' }[theme];
  return (
    <button
      type="button"
      class="icon"
      title={`Colours: ${theme}. Next: ${next}`}
      aria-label={`Colours: ${theme}. Next: ${next}`}
      onClick={() => {
        applyTheme(next);
        setTheme(next);
      }}
    >
      {symbol}
    </button>
  );
}

/** Two places and the way between them. */
function Mark() {
  return (
    <svg class="mark" viewBox="0 0 16 16" width="18" height="18" aria-hidden="true">
      <rect x="1" y="3" width="6" height="4" rx="1" />
      <rect x="9" y="9" width="6" height="4" rx="1" />
      <path d="M7 5h5v4" />
    </svg>
  );
}

/** Pictures are painted for pages that somebody sees. */
function usePictures(): void {
  const { connection } = usePage();
  useEffect(() => {
    const ask = () => connection.pictures(!document.hidden);
    ask();
    document.addEventListener('visibilitychange', ask);
    return () => document.removeEventListener('visibilitychange', ask);
  }, [connection]);
}

/** 1, 2, 3: views. Space: play. Left and right: step. Square brackets: hand-overs. L: live. Slash: search. */
function useKeys(): void {
  const { state } = usePage();
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || target.closest('input, select, textarea, dialog')) return;
      const onButton = target.closest('button') !== null;
      const view = views[Number(event.key) - 1];
      const step = (by: 1 | -1) => state.step(by, (record) => passes(record, state.filter));
      if (view !== undefined) state.show(view);
      else if (event.key === ' ' && !onButton) state.playOrPause(1);
      else if (event.key === 'ArrowLeft' && target.closest('[role=tree]') === null) step(-1);
      else if (event.key === 'ArrowRight' && target.closest('[role=tree]') === null) step(1);
      else if (event.key === '[') state.jump(-1);
      else if (event.key === ']') state.jump(1);
      else if (event.key === 'l') state.goLive();
      else if (event.key === '/') document.querySelector<HTMLInputElement>('input[type=search]')?.focus();
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, [state]);
}
