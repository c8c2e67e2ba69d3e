/**
 * How fast a client takes what it is sent, found out by pings: one that has to wait behind so many bytes comes back so much
 * later. Pure but for the ping that it asks for. A link is called slow where libspice-server calls it so, below 10 Mbit/s, but
 * never for a single measurement: a client may have had other things to do.
 */

/** Bytes between two pings. */
const portion = 128 * 1024;
/** Bits a second: below the one a link becomes slow, above the other fast again. */
const [slowBelow, fastAbove] = [10e6, 15e6];
/** Measurements in a row that change its name. */
const inARow = 2;

export class LinkSpeed {
  isSlow = false;
  private readonly ping: () => void;
  /** Microseconds of the shortest round trip. */
  private shortest = Number.POSITIVE_INFINITY;
  /** Bytes that were sent since the last ping, and those that were sent before it. */
  private since = 0;
  private before = 0;
  private isOut = false;
  private against = 0;

  /** `ping` sends one; `answered` is to be told of its round trip. */
  constructor(ping: () => void) {
    this.ping = ping;
  }

  /** Nothing has been sent yet. `wasSlow`: what another server has found out. */
  begin(wasSlow: boolean): void {
    this.isSlow = wasSlow;
    this.since = 0;
    this.send();
  }

  sent(bytes: number): void {
    this.since += bytes;
    if (!this.isOut && this.since >= portion) this.send();
  }

  /** Everything that was sent has been taken, as far as is known. */
  get isIdle(): boolean {
    return !this.isOut;
  }

  /** The last ping has come back after so many microseconds. */
  answered(micros: number): void {
    if (!this.isOut) return;
    this.isOut = false;
    this.shortest = Math.min(this.shortest, micros);
    if (this.before < portion) return;
    // What was sent before the last ping but one had been taken when that came back; so this is rather too fast than too slow.
    const bitsPerSecond = (this.before * 8e6) / Math.max(1, micros - this.shortest);
    const speaksAgainst = this.isSlow ? bitsPerSecond > fastAbove : bitsPerSecond < slowBelow;
    this.against = speaksAgainst ? this.against + 1 : 0;
    if (this.against < inARow) return;
    this.isSlow = !this.isSlow;
    this.against = 0;
  }

  private send(): void {
    this.before = this.since;
    this.since = 0;
    this.isOut = true;
    this.ping();
  }
}
