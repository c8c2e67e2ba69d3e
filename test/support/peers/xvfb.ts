/**
 * An X server without a screen, for clients that have a window. Its frame buffer is a file, so a screenshot is a read
 * and starts no program. It listens on no network and takes the first display number that is free.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Picture } from './boot-sector.ts';
import { PeerProcess } from './process.ts';

export interface Xvfb {
  /** The value of DISPLAY, e.g. `:3`. */
  readonly display: string;
  /** The whole screen as it is now. */
  screenshot(): Promise<Picture>;
  stop(): Promise<void>;
}

/** Starts an X server of the given size, 24 bits deep. It has no window manager: windows open at the top left. */
export async function startXvfb(size: { width: number; height: number } = { width: 800, height: 700 }): Promise<Xvfb> {
  const folder = await mkdtemp(join(tmpdir(), 'sumac-xvfb-'));
  const screen = `${size.width}x${size.height}x24`;
  const server = new PeerProcess('Xvfb', 'Xvfb', [
    ...['-displayfd', '1', '-screen', '0', screen, '-nolisten', 'tcp', '-fbdir', folder],
  ]);
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const line = await server.waitForLine(/^\d+$/, { stream: 'out' });
    return {
      display: `:${line.text}`,
      screenshot: async () => parseXwd(await readFile(join(folder, 'Xvfb_screen0'))),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Parses an X window dump (version 7, 32 bits a pixel, true colour), as Xvfb keeps its frame buffer. Throws an Error on
 * any other kind.
 */
export function parseXwd(bytes: Uint8Array): Picture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const field = (index: number): number => view.getUint32(index * 4);
  const [headerSize, version, width, height] = [field(0), field(1), field(4), field(5)];
  const [bigEndian, depth, stride, colours] = [field(7) === 1, field(11), field(12), field(19)];
  if (version !== 7 || depth !== 32) throw new Error(`an X window dump of version ${version}, ${depth} bits a pixel`);
  if (field(14) !== 0xff0000 || field(15) !== 0x00ff00) throw new Error('an X window dump with other colour masks');
  const start = headerSize + colours * 12;
  if (bytes.length < start + stride * height) throw new Error('an X window dump that is cut off');
  const rgb = new Uint8Array(width * height * 3);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = view.getUint32(start + y * stride + x * 4, !bigEndian);
      rgb[to++] = (value >> 16) & 0xff;
      rgb[to++] = (value >> 8) & 0xff;
      rgb[to++] = value & 0xff;
    }
  }
  return { width, height, rgb };
}
