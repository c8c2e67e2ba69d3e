/** Framing of channel messages: the full header, the mini header and the list of sub-messages (spec §2.1). */
import { WireError } from '../errors.ts';

export const fullHeaderSize = 18;
export const miniHeaderSize = 6;

/**
 * The longest body that a receiver takes, in bytes. The reference has no limit towards the client; a server takes only small
 * messages from a client (inputs 2 KiB there), so the two ends have different ones.
 */
export const longestBody = { server: 64 * 1024 * 1024, client: 1024 * 1024 } as const;

export interface SubMessage {
  readonly number: number;
  readonly body: Uint8Array;
}

/** Unpacks the sub-message list that starts at `at` of `body`. Throws WireError when an offset or size does not fit. */
export function readSubMessages(body: Uint8Array, at: number): SubMessage[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const need = (offset: number, size: number, path: string) => {
    if (offset + size > body.length) {
      throw new WireError('truncated', offset, `needs ${size} bytes, ${Math.max(0, body.length - offset)} left`, path);
    }
  };
  need(at, 2, 'subList.count');
  const count = view.getUint16(at, true);
  need(at + 2, count * 4, 'subList.offsets');
  const subs: SubMessage[] = [];
  for (let i = 0; i < count; i++) {
    const offset = view.getUint32(at + 2 + i * 4, true);
    need(offset, 6, `subList[${i}]`);
    const size = view.getUint32(offset + 2, true);
    need(offset + 6, size, `subList[${i}].body`);
    subs.push({ number: view.getUint16(offset, true), body: body.subarray(offset + 6, offset + 6 + size) });
  }
  return subs;
}
