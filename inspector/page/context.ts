/** What every component of the page stands on, and when it has to be drawn again. */
import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import { Connection } from './connection.ts';
import { FeedStore } from './feed-store.ts';
import { ViewState } from './view-state.ts';

export interface Page {
  readonly store: FeedStore;
  readonly state: ViewState;
  readonly connection: Connection;
  /** Goes up with every change. */
  version: number;
  listen(heard: () => void): () => void;
}

/** Changes of one frame are drawn together. A flood is drawn ten times a second: eyes cannot read faster. */
export function createPage(): Page {
  const listeners = new Set<() => void>();
  let asked = false;
  let drawn = 0;
  let urgent = false;
  const draw = () => {
    asked = false;
    urgent = false;
    drawn = performance.now();
    page.version++;
    const at = page.state.moment?.at ?? (store.mode === 'journal' ? store.records.at(-1)?.at : undefined);
    if (at !== undefined) page.connection.look(at);
    for (const heard of listeners) heard();
  };
  const changed = (now: boolean) => {
    if (now && asked && !urgent) {
      urgent = true;
      requestAnimationFrame(() => urgent && draw());
    }
    if (asked) return;
    asked = true;
    urgent = now;
    const wait = now ? 0 : 100 - (performance.now() - drawn);
    if (wait <= 0) requestAnimationFrame(() => asked && draw());
    else setTimeout(() => requestAnimationFrame(() => asked && draw()), wait);
  };
  const store = new FeedStore();
  const page: Page = {
    store,
    state: new ViewState(store, () => changed(true)),
    connection: new Connection(store, () => changed(false)),
    version: 0,
    listen(heard) {
      listeners.add(heard);
      return () => listeners.delete(heard);
    },
  };
  return page;
}

export const PageContext = createContext<Page | undefined>(undefined);

/** The page, and a new drawing of the component whenever something has changed. */
export function usePage(): Page {
  const page = useContext(PageContext);
  if (page === undefined) throw new Error('no page around');
  const [, redraw] = useState(0);
  useEffect(() => page.listen(() => redraw(page.version)), [page]);
  return page;
}
