/** Framing of channel messages: the full header, the mini header and the list of sub-messages (spec §2.1). */
import { WireError } from '../errors.ts';

export const fullHeaderSize = 18;
export const miniHeaderSize = 6;

const mebi = 1024 * 1024;
/** Bytes of what client and agent say to each other at once. */
export const longestAgentMessage = 16 * mebi;

/**
 * The longest body that a receiver takes, in bytes, by who sends it and the channel's word. The reference has no limit
 * towards the client; pictures need room, and the migrate data of main, which may hold an agent's message that is not whole yet.
 * A server takes 2,048 bytes of input at a time (spec §2.5).
 */
export function longestBody(sender: 'server' | 'client', channel: string): number {
  if (channel === 'main') return longestAgentMessage + mebi;
  if (sender === 'server') return channel === 'display' ? 64 * mebi : 4 * mebi;
  return channel === 'inputs' ? 2_048 : mebi;
}

export interface SubMessage {
  readonly number: number;
  readonly body: Uint8Array;
}

/**
 * Unpacks the sub-message list that starts at `at` of `body`. Throws WireError when an offset or size does not fit.
 * INVARIANT: together they are no longer than the body, so that the work is no more than that of the bytes that came.
 */
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
  let left = body.length;
  for (let i = 0; i < count; i++) {
    const offset = view.getUint32(at + 2 + i * 4, true);
    need(offset, 6, `subList[${i}]`);
    const size = view.getUint32(offset + 2, true);
    need(offset + 6, size, `subList[${i}].body`);
    left -= 6 + size;
    if (left < 0) throw new WireError('count', offset, 'the sub-messages lie over each other', `subList[${i}]`);
    subs.push({ number: view.getUint16(offset, true), body: body.subarray(offset + 6, offset + 6 + size) });
  }
  return subs;
}
