/**
 * What a display showed at any moment of a journal, small. Going on is cheap; going back begins anew, and where that would take
 * long, a picture that was passed on the way must do. It keeps the records that it is given, and nothing else.
 */
import { Album } from '../../inspector/album.ts';
import type { Shown } from '../../inspector/painters.ts';
import { thumbnail } from '../../inspector/thumbnail.ts';
import type { JournalRecord } from '../journal/record.ts';
import { ReplayedDisplays } from './replay-picture.ts';

interface Timed {
  readonly at: number;
  readonly record: JournalRecord;
}

/** Records that are drawn before others get their turn, and more than which nobody is to wait for. */
const slice = 500;
/** Pictures that are kept of the whole length. */
const stops = 300;
const widest = 192;

export class JournalPictures {
  private readonly records: Timed[] = [];
  private readonly album = new Album({ bytes: 24 * 1024 * 1024, each: 2 * stops, even: true });
  private displays = new ReplayedDisplays();
  private position = 0;
  private keptAt = Number.NEGATIVE_INFINITY;
  /** The work that is done now, and how often somebody has asked: who asks later is answered first. */
  private work: Promise<void> = Promise.resolve();
  private asked = 0;

  /** Takes the next record, in order of time. `at`: milliseconds since 1970. */
  add(at: number, record: JournalRecord): void {
    if (/\/display:\d+$/.test(record.actor)) this.records.push({ at, record });
  }

  /** The picture of a time; undefined while there was none. Exact, or at once where one from just before is known. */
  async look(at: number, exact: boolean): Promise<Shown | undefined> {
    const turn = ++this.asked;
    const wanted = this.countTo(at);
    const known = this.album.at('', at);
    const soon = wanted >= this.position && wanted - this.position <= slice;
    if (known !== undefined && !exact && !soon) return { ...known, rough: true };
    const before = this.work;
    let shown: Shown | undefined;
    this.work = before.then(async () => {
      if (await this.drawTo(wanted, turn)) shown = await this.small();
      else if (known !== undefined) shown = { ...known, rough: true };
    });
    this.work = this.work.catch(() => {});
    await this.work;
    return shown;
  }

  /** False when somebody has asked for another time meanwhile, who is not to wait. */
  private async drawTo(wanted: number, turn: number): Promise<boolean> {
    if (wanted < this.position) {
      this.displays = new ReplayedDisplays();
      this.position = 0;
      this.keptAt = Number.NEGATIVE_INFINITY;
    }
    const every = ((this.records.at(-1)?.at ?? 0) - (this.records[0]?.at ?? 0)) / stops;
    while (this.position < wanted) {
      if (turn !== this.asked) return false;
      const end = Math.min(wanted, this.position + slice);
      while (this.position < end) {
        const { at, record } = this.records[this.position++]!;
        this.displays.take(record);
        if (at - this.keptAt < every) continue;
        this.keptAt = at;
        const shown = await this.small();
        if (shown !== undefined) this.album.add({ ...shown, party: '', at });
      }
      await new Promise((resolve) => setTimeout(resolve));
    }
    return true;
  }

  private async small(): Promise<Shown | undefined> {
    const shown = await this.displays.picture();
    return shown === undefined ? undefined : thumbnail(shown, widest);
  }

  /** How many records there are up to a time. */
  private countTo(at: number): number {
    let [low, high] = [0, this.records.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.records[middle]!.at <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
