/**
 * Small pictures of what parties show: now, while somebody looks, and as it was, from those that were kept. While nobody looks
 * a picture is taken now and then, and at each step of a hand-over, so that a page that opens late can look back. It knows
 * no engine: parties bring somebody who paints.
 */
import { Album } from './album.ts';
import type { Picture } from './feed.ts';

type Paint = () => Omit<Picture, 'party' | 'at'> | undefined;
/** What a party showed at a time. `rough`: it is from somewhat before, and the exact one would take a while. */
export type Shown = Omit<Picture, 'party' | 'at'> & { readonly rough?: boolean };
/** Where somebody else knows. */
export type Look = (at: number, exact: boolean) => Promise<Shown | undefined>;

/** Pages that ask within this time of each other are told the same. */
const freshMs = 200;
/** How often a picture is kept while nobody looks. */
const idleMs = 5_000;

export class Painters {
  private readonly now: () => number;
  private readonly painters = new Map<string, { paint: Paint; look: Look | undefined }>();
  private readonly album = new Album({ bytes: 24 * 1024 * 1024, each: 160 });
  private fresh: { at: number; pictures: Picture[] } | undefined;
  private keptAt = Number.NEGATIVE_INFINITY;
  private wanted = false;

  constructor(now: () => number) {
    this.now = now;
  }

  set(party: string, paint: Paint, look?: Look): void {
    this.painters.set(party, { paint, look });
  }

  /** The party shows nothing any more; what it showed is kept. */
  end(party: string): void {
    this.painters.delete(party);
  }

  forget(party: string): void {
    this.painters.delete(party);
    this.album.forget(party);
  }

  /** What everybody shows now. */
  pictures(): Picture[] {
    const at = this.now();
    if (this.fresh !== undefined && at - this.fresh.at < freshMs) return this.fresh.pictures;
    this.fresh = { at, pictures: [...this.painters.keys()].flatMap((party) => this.painted(party, at) ?? []) };
    this.keptAt = at;
    return this.fresh.pictures;
  }

  /** What everybody showed at a time, as far as it is known. Each picture bears that time. */
  async look(
    at: number,
    exact: boolean,
    parties: Iterable<string>,
  ): Promise<{ readonly pictures: Picture[]; readonly rough: boolean }> {
    let anyRough = false;
    const found = await Promise.all(
      [...parties].map(async (party) => {
        const elsewhere = this.painters.get(party)?.look;
        const shown: Shown | undefined =
          elsewhere === undefined ? this.album.at(party, at) : await elsewhere(at, exact).catch(() => undefined);
        if (shown === undefined) return [];
        const { rough = false, width, height, pixels } = shown;
        anyRough ||= rough;
        return [{ party, at, width, height, pixels }];
      }),
    );
    return { pictures: found.flat(), rough: anyRough };
  }

  /** Something has happened that deserves a picture. */
  remember(): void {
    this.wanted = true;
  }

  /** Keeps a picture where one is due. Called often. */
  tick(): void {
    const at = this.now();
    if (!this.wanted && at - this.keptAt < idleMs) return;
    this.wanted = false;
    this.keptAt = at;
    for (const [party, { look }] of this.painters) if (look === undefined) this.painted(party, at);
  }

  private painted(party: string, at: number): Picture | undefined {
    const { paint, look } = this.painters.get(party)!;
    try {
      const shown = paint();
      if (shown === undefined) return undefined;
      const picture = { ...shown, party, at };
      if (look === undefined) this.album.add(picture);
      return picture;
    } catch {
      // A painter that fails is asked no more; looking must end no program.
      this.painters.delete(party);
      return undefined;
    }
  }
}
