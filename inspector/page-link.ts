/**
 * One page that is connected: tells it what happens, answers what it asks. A page that reads too slowly is left out for a
 * while and then told everything anew, so that it costs the program no memory. It knows no sockets: see serve.ts.
 */
import type { FromPage, ToPage } from './feed.ts';
import { writePicture } from './feed.ts';
import type { Batch, Hub } from './hub.ts';

export interface Sink {
  send(data: string | Uint8Array): void;
  /** Bytes that were sent and that the network has not taken yet. */
  buffered(): number;
}

/** Bytes waiting above which a page is left out, and below which it is told everything anew. */
const tooMuch = 8 * 1024 * 1024;
const little = 64 * 1024;
const pictureEveryMs = 400;

/** The text of a batch is the same for all pages. */
const texts = new WeakMap<Batch, string>();

export class PageLink {
  private readonly hub: Hub;
  private readonly sink: Sink;
  private readonly stop: () => void;
  private pictures: ReturnType<typeof setInterval> | undefined;
  private behind = false;
  private slow = 0;

  constructor(hub: Hub, sink: Sink) {
    this.hub = hub;
    this.sink = sink;
    this.stop = hub.listen({ batch: (batch) => this.batch(batch) });
    this.hello();
  }

  /** Takes a message of the page. False means that it is none: close the connection. */
  take(text: string): boolean {
    const message = parse(text);
    if (message === undefined) return false;
    switch (message.t) {
      case 'detail':
        this.hub.detail(message.seq).then((detail) => this.tell(detail));
        break;
      case 'older': {
        const records = this.hub.older(message.before);
        this.tell({ t: 'older', before: message.before, records, end: records.length < this.hub.limits.chunk });
        break;
      }
      case 'pictures':
        this.showPictures(message.on);
        break;
      case 'look':
        this.hub.look(message.at, message.exact).then(({ pictures, rough }) => {
          for (const picture of pictures) this.sink.send(writePicture(picture));
          this.tell({ t: 'looked', at: message.at, rough });
        });
        break;
      case 'control':
        this.control(message);
        break;
    }
    return true;
  }

  close(): void {
    this.stop();
    this.showPictures(false);
  }

  private hello(): void {
    const hello = this.hub.hello();
    this.tell({ ...hello, skipped: { ...hello.skipped, slow: this.slow } });
  }

  private batch(batch: Batch): void {
    const waiting = this.sink.buffered();
    if (this.behind && waiting <= little) {
      this.behind = false;
      this.hello();
      return;
    }
    if (this.behind || waiting > tooMuch) {
      this.behind = true;
      this.slow += batch.records?.length ?? 0;
      return;
    }
    let text = texts.get(batch);
    if (text === undefined) {
      text = JSON.stringify(batch);
      texts.set(batch, text);
    }
    this.sink.send(
      this.slow === 0 ? text : JSON.stringify({ ...batch, skipped: { ...batch.skipped, slow: this.slow } }),
    );
  }

  private control(message: FromPage & { t: 'control' }): void {
    const fields = Object.fromEntries(Object.entries(message.fields).map(([name, value]) => [name, String(value)]));
    const { id } = message;
    this.hub.control(message.name, fields).then(
      () => this.tell({ t: 'done', id }),
      (error: unknown) => this.tell({ t: 'done', id, error: error instanceof Error ? error.message : String(error) }),
    );
  }

  private showPictures(on: boolean): void {
    clearInterval(this.pictures);
    this.pictures = undefined;
    if (!on) return;
    const show = () => {
      if (this.sink.buffered() > little) return;
      for (const picture of this.hub.pictures()) this.sink.send(writePicture(picture));
    };
    this.pictures = setInterval(show, pictureEveryMs);
    show();
  }

  private tell(message: ToPage): void {
    this.sink.send(JSON.stringify(message));
  }
}

function parse(text: string): FromPage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== 'object') return undefined;
  const { t, seq, before, on, at, exact, id, name, fields } = value as Record<string, unknown>;
  switch (t) {
    case 'detail':
      return typeof seq === 'number' ? { t, seq } : undefined;
    case 'older':
      return typeof before === 'number' ? { t, before } : undefined;
    case 'pictures':
      return typeof on === 'boolean' ? { t, on } : undefined;
    case 'look':
      return typeof at === 'number' ? { t, at, exact: exact === true } : undefined;
    case 'control':
      if (typeof id !== 'number' || typeof name !== 'string' || fields === null || typeof fields !== 'object')
        return undefined;
      return { t, id, name, fields: fields as Record<string, string> };
    default:
      return undefined;
  }
}
