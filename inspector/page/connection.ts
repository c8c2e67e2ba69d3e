/** The page's connection to its hub: reads the feed, asks for more, comes back by itself when the program has restarted. */
import type { DetailField, FromPage, ToPage } from '../feed.ts';
import { feedVersion, readPicture } from '../feed.ts';
import type { FeedStore } from './feed-store.ts';

export type Detail = ToPage & { t: 'detail' };
export type { DetailField };

export type Status = 'connecting' | 'connected' | 'lost' | 'refused' | 'other version';

export class Connection {
  status: Status = 'connecting';
  private readonly store: FeedStore;
  private readonly changed: () => void;
  private socket: WebSocket | undefined;
  private wait = 500;
  private readonly details = new Map<number, Detail>();
  private readonly asked = new Set<number>();
  private readonly doing = new Map<number, (error: string | undefined) => void>();
  private wantsPictures = false;
  /** The time whose pictures were asked for last, whether they are on their way, and which to ask for next. */
  private looked: number | undefined;
  private looking = false;
  private nextLook: number | undefined;
  private lookAgain: ReturnType<typeof setTimeout> | undefined;
  private ids = 0;

  constructor(store: FeedStore, changed: () => void) {
    this.store = store;
    this.changed = changed;
    this.open();
  }

  /** The bytes and fields of a message; undefined until they have come. */
  detail(seq: number): Detail | undefined {
    const known = this.details.get(seq);
    if (known === undefined && !this.asked.has(seq)) {
      this.asked.add(seq);
      this.say({ t: 'detail', seq });
    }
    return known;
  }

  /** Does something in the program. Resolves with what went wrong, or undefined. */
  control(name: string, fields: Readonly<Record<string, string>>): Promise<string | undefined> {
    if (this.status !== 'connected') return Promise.resolve('the program is not connected');
    const id = ++this.ids;
    return new Promise((resolve) => {
      this.doing.set(id, resolve);
      this.say({ t: 'control', id, name, fields });
    });
  }

  pictures(on: boolean): void {
    if (this.wantsPictures === on) return;
    this.wantsPictures = on;
    this.say({ t: 'pictures', on });
  }

  /** Asks for the pictures of a time, one time after the other: who scrubs gets those of where they are. */
  look(at: number): void {
    if (at === this.looked || this.socket?.readyState !== WebSocket.OPEN) return;
    if (this.looking) {
      this.nextLook = at;
      return;
    }
    this.askFor(at, false);
  }

  private askFor(at: number, exact: boolean): void {
    clearTimeout(this.lookAgain);
    this.looking = true;
    this.looked = at;
    this.nextLook = undefined;
    this.say({ t: 'look', at, exact });
  }

  /** Who stays at a moment gets its exact pictures. */
  private hasLooked({ at, rough }: ToPage & { t: 'looked' }): void {
    this.looking = false;
    if (this.nextLook !== undefined) this.look(this.nextLook);
    else if (rough) this.lookAgain = setTimeout(() => at === this.looked && this.askFor(at, true), 250);
  }

  private open(): void {
    const address = new URL('feed', location.href);
    address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    address.search = '';
    address.hash = '';
    const token = tokenHere();
    if (token !== undefined) address.searchParams.set('token', token);
    const socket = new WebSocket(address);
    socket.binaryType = 'arraybuffer';
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.wait = 500;
      this.status = 'connected';
      if (this.wantsPictures) this.say({ t: 'pictures', on: true });
      this.changed();
    };
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => this.heard(event.data);
    socket.onclose = () => {
      if (this.status === 'other version') return;
      this.status = opened || this.store.records.length > 0 ? 'lost' : 'refused';
      for (const resolve of this.doing.values()) resolve('the program has gone');
      this.doing.clear();
      this.asked.clear();
      clearTimeout(this.lookAgain);
      this.looking = false;
      this.looked = undefined;
      this.changed();
      setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(5_000, this.wait * 1.5);
    };
    this.socket = socket;
  }

  private heard(data: string | ArrayBuffer): void {
    if (typeof data !== 'string') {
      const picture = readPicture(new Uint8Array(data));
      if (picture !== undefined) this.store.pictures.add(picture);
      this.changed();
      return;
    }
    const message = JSON.parse(data) as ToPage;
    if (message.t === 'hello') {
      this.details.clear();
      this.asked.clear();
      this.looked = undefined;
      if (message.version !== feedVersion) {
        this.status = 'other version';
        this.socket?.close();
        this.changed();
        return;
      }
    }
    if (message.t === 'looked') this.hasLooked(message);
    else if (message.t === 'detail') this.keep(message);
    else if (message.t === 'done') {
      this.doing.get(message.id)?.(message.error);
      this.doing.delete(message.id);
    } else {
      const before = this.store.take(message);
      if (before !== undefined) this.say({ t: 'older', before });
    }
    this.changed();
  }

  private keep(detail: Detail): void {
    this.details.set(detail.seq, detail);
    if (this.details.size > 200) this.details.delete(this.details.keys().next().value!);
    this.asked.delete(detail.seq);
  }

  private say(message: FromPage): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}

/** From the address's hash, where it reaches no server and no history of another page; kept for this tab only. */
function tokenHere(): string | undefined {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given !== null) {
    sessionStorage.setItem('token', given);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem('token') ?? undefined;
}
