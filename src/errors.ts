/**
 * The errors that Sumac throws on purpose. Every one carries a `code` that a program can compare; the message is for people.
 * Floor 0: imports nothing.
 */

/** Base of all errors that are thrown on purpose. Anything else that escapes is a fault of ours. */
export class SumacError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

export type WireFault =
  | 'truncated' // fewer bytes than the layout needs
  | 'count' // an array count or size that the bytes left cannot hold
  | 'pointer' // an offset outside the body, or more pointers than the budget allows
  | 'value' // a tag or number that the layout has no meaning for
  | 'text' // text without its closing NUL, or not UTF-8 where it must be
  | 'range'; // a value that does not fit the field it is to be written to

/** Bytes that do not fit their declared layout. `path` names the field, `offset` counts bytes from the start of the body. */
export class WireError extends SumacError {
  readonly fault: WireFault;
  readonly offset: number;
  readonly detail: string;
  path: string;

  constructor(fault: WireFault, offset: number, detail: string, path = '') {
    super(`wire.${fault}`, detail);
    this.fault = fault;
    this.offset = offset;
    this.detail = detail;
    this.path = path;
    this.tell();
  }

  /** Prefixes the path while the error travels up through the layout. */
  within(part: string): this {
    this.path = this.path === '' ? part : this.path.startsWith('[') ? part + this.path : `${part}.${this.path}`;
    this.tell();
    return this;
  }

  private tell(): void {
    this.message = `${this.path === '' ? 'body' : this.path}: ${this.detail} (offset ${this.offset})`;
  }
}

/** A file, flag or address that the user gave and that cannot be used. The command line exits with 2. */
export class UsageError extends SumacError {
  constructor(message: string, options?: ErrorOptions) {
    super('usage', message, options);
  }
}

/** A link that did not come about. `linkCode` is SPICE_LINK_ERR_* where the peer gave one (spec §1.3). */
export class LinkError extends SumacError {
  readonly linkCode: number | undefined;

  constructor(message: string, linkCode?: number, options?: ErrorOptions) {
    super('link', message, options);
    this.linkCode = linkCode;
  }
}
