/**
 * A few things by name, in the order of their names. A copy costs nothing: what is changed is made anew, and never what
 * another one holds.
 */
export class Shelf<T> {
  private names: readonly string[] = [];
  private things: readonly T[] = [];

  copy(): Shelf<T> {
    const copy = new Shelf<T>();
    copy.names = this.names;
    copy.things = this.things;
    return copy;
  }

  get size(): number {
    return this.names.length;
  }

  keys(): readonly string[] {
    return this.names;
  }

  /** In order. Stays as it is while the shelf is changed. */
  values(): readonly T[] {
    return this.things;
  }

  has(name: string): boolean {
    return this.names.includes(name);
  }

  get(name: string): T | undefined {
    const { names } = this;
    for (let i = 0; i < names.length; i++) if (names[i] === name) return this.things[i];
    return undefined;
  }

  set(name: string, thing: T): void {
    const { names } = this;
    let at = 0;
    while (at < names.length && names[at]! < name) at++;
    if (names[at] === name) {
      if (this.things[at] === thing) return;
      const things = this.things.slice();
      things[at] = thing;
      this.things = things;
      return;
    }
    this.names = [...names.slice(0, at), name, ...names.slice(at)];
    this.things = [...this.things.slice(0, at), thing, ...this.things.slice(at)];
  }

  delete(name: string): void {
    const at = this.names.indexOf(name);
    if (at < 0) return;
    this.names = this.names.filter((_, index) => index !== at);
    this.things = this.things.filter((_, index) => index !== at);
  }
}
