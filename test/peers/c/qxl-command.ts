/**
 * Drawing messages as commands of the QXL device: what a guest's driver would have written for libspice-server to send just
 * such a message. Layouts are those of qxl_dev.h: packed, little-endian, pointers of 64 bits.
 */
import { ImageType } from '../../../src/protocol/constants.ts';

/** A block of memory whose pointers are offsets into it, and where in it those stand. */
export interface Command {
  readonly bytes: Uint8Array;
  readonly pointers: readonly number[];
}

type Point = { x: number; y: number };
type Rect = { left: number; top: number; right: number; bottom: number };

/** Writes a block: fixed parts in order, what they point to behind them. */
class Block {
  private bytes = new Uint8Array(1024);
  private view = new DataView(this.bytes.buffer);
  private at = 0;
  private readonly pointers: number[] = [];
  private readonly later: (() => void)[] = [];

  private room(bytes: number): number {
    const at = this.at;
    this.at += bytes;
    if (this.at > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.at, this.bytes.length * 2));
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    return at;
  }

  u8(...values: number[]): this {
    for (const value of values) {
      const at = this.room(1);
      this.view.setUint8(at, value);
    }
    return this;
  }

  u16(...values: number[]): this {
    for (const value of values) {
      const at = this.room(2);
      this.view.setUint16(at, value, true);
    }
    return this;
  }

  u32(...values: number[]): this {
    for (const value of values) {
      const at = this.room(4);
      this.view.setUint32(at, value >>> 0, true);
    }
    return this;
  }

  u64(value: bigint): this {
    const at = this.room(8);
    this.view.setBigUint64(at, BigInt.asUintN(64, value), true);
    return this;
  }

  data(bytes: Uint8Array): this {
    const at = this.room(bytes.length);
    this.bytes.set(bytes, at);
    return this;
  }

  point({ x, y }: Point): this {
    return this.u32(x, y);
  }

  point16({ x, y }: Point): this {
    return this.u16(x & 0xffff, y & 0xffff);
  }

  rect({ left, top, right, bottom }: Rect): this {
    return this.u32(top, left, bottom, right);
  }

  /** A pointer to what `write` writes; null without it. */
  pointer(write?: () => void): this {
    const at = this.room(8);
    this.view.setBigUint64(at, 0n, true);
    if (write === undefined) return this;
    this.pointers.push(at);
    this.later.push(() => {
      this.at = (this.at + 7) & ~7;
      this.room(0);
      this.view.setBigUint64(at, BigInt(this.at), true);
      write();
    });
    return this;
  }

  /** QXLDataChunk: all that `write` writes, in one piece. */
  chunk(write: () => void): this {
    const size = this.room(4);
    this.u64(0n).u64(0n);
    const start = this.at;
    write();
    this.view.setUint32(size, this.at - start, true);
    return this;
  }

  finish(): Command {
    for (let write = this.later.shift(); write !== undefined; write = this.later.shift()) write();
    // Readers look at whole structures where only their beginnings count.
    this.room(64);
    return { bytes: this.bytes.slice(0, this.at), pointers: this.pointers };
  }
}

const types: Readonly<Record<string, number>> = {
  draw_fill: 1,
  draw_opaque: 2,
  draw_copy: 3,
  copy_bits: 4,
  draw_blend: 5,
  draw_blackness: 6,
  draw_whiteness: 7,
  draw_invers: 8,
  draw_rop3: 9,
  draw_stroke: 10,
  draw_text: 11,
  draw_transparent: 12,
  draw_alpha_blend: 13,
  draw_composite: 14,
};

/** QXL_BITMAP_DIRECT: the data are in one piece. */
const direct = 1;

function image(block: Block, one: any): void {
  block.pointer(
    one === null || one === undefined
      ? undefined
      : () => {
          block
            .u64(one.id)
            .u8(ImageType[one.type as keyof typeof ImageType], one.flags)
            .u32(one.width, one.height);
          if (one.type === 'surface') {
            block.u32(one.surfaceId);
            return;
          }
          block.u8(one.format, one.bitmapFlags | direct).u32(one.x, one.y, one.stride);
          const { palette } = one;
          block.pointer(
            palette === null
              ? undefined
              : () =>
                  block
                    .u64(palette.unique)
                    .u16(palette.ents.length)
                    .u32(...palette.ents),
          );
          block.pointer(() => block.data(one.data));
        },
  );
}

function brush(block: Block, one: any): void {
  if (one.type === 'solid') block.u32(1, one.color, 0, 0, 0);
  else if (one.type === 'pattern') {
    block.u32(2);
    image(block, one.pat);
    block.point(one.pos);
  } else block.u32(0, 0, 0, 0, 0);
}

function mask(block: Block, { flags, pos, bitmap }: any): void {
  block.u8(flags).point(pos);
  image(block, bitmap);
}

const bodies: Readonly<Record<string, (block: Block, body: any) => void>> = {
  draw_fill: (block, body) => {
    brush(block, body.brush);
    block.u16(body.ropDescriptor);
    mask(block, body.mask);
  },
  draw_opaque: (block, body) => {
    image(block, body.srcBitmap);
    block.rect(body.srcArea);
    brush(block, body.brush);
    block.u16(body.ropDescriptor).u8(body.scaleMode);
    mask(block, body.mask);
  },
  draw_copy: copy,
  draw_blend: copy,
  draw_blackness: (block, body) => mask(block, body.mask),
  draw_whiteness: (block, body) => mask(block, body.mask),
  draw_invers: (block, body) => mask(block, body.mask),
  draw_rop3: (block, body) => {
    image(block, body.srcBitmap);
    block.rect(body.srcArea);
    brush(block, body.brush);
    block.u8(body.rop3, body.scaleMode);
    mask(block, body.mask);
  },
  draw_transparent: (block, body) => {
    image(block, body.srcBitmap);
    block.rect(body.srcArea).u32(body.srcColor, body.trueColor);
  },
  draw_alpha_blend: (block, body) => {
    block.u16(body.alphaFlags).u8(body.alpha);
    image(block, body.srcBitmap);
    block.rect(body.srcArea);
  },
  copy_bits: (block, body) => {
    block.point(body.srcPos);
  },
  draw_text: (block, { str, backArea, foreBrush, backBrush, foreMode, backMode }) => {
    block.pointer(() => {
      const glyphs = str.glyphs as any[];
      block.u32(glyphs.reduce((sum, { data }) => sum + 20 + data.length, 0)).u16(glyphs.length, str.flags);
      block.chunk(() => {
        for (const one of glyphs) {
          block.point(one.renderPos).point(one.glyphOrigin).u16(one.width, one.height).data(one.data);
        }
      });
    });
    block.rect(backArea);
    brush(block, foreBrush);
    brush(block, backBrush);
    block.u16(foreMode, backMode);
  },
  draw_stroke: (block, body) => {
    const segments = body.path.segments as any[];
    block.pointer(() => {
      block.u32(segments.reduce((sum, { points }) => sum + 8 + points.length * 8, 0));
      block.chunk(() => {
        for (const { flags, points } of segments) {
          block.u32(flags, points.length);
          for (const point of points) block.point(point);
        }
      });
    });
    const style: number[] = body.attr.style ?? [];
    block.u8(body.attr.flags, 0, 0, style.length).u32(0, 0);
    block.pointer(style.length > 0 ? () => block.u32(...style) : undefined);
    brush(block, body.brush);
    block.u16(body.foreMode, body.backMode);
  },
  draw_composite: (block, body) => {
    const turned = (one: any) =>
      block.pointer(one && (() => block.u32(one.t00, one.t01, one.t02, one.t10, one.t11, one.t12)));
    block.u32(body.flags);
    image(block, body.srcBitmap);
    turned(body.srcTransform);
    image(block, body.maskBitmap);
    turned(body.maskTransform);
    block.point16(body.srcOrigin).point16(body.maskOrigin);
  },
};

function copy(block: Block, body: any): void {
  image(block, body.srcBitmap);
  block.rect(body.srcArea).u16(body.ropDescriptor).u8(body.scaleMode);
  mask(block, body.mask);
}

/** The surfaces that a command reads, which the device is told of. */
function readSurfaces(name: string, body: any): { id: number; area: Rect }[] {
  const { box, surfaceId } = body.base;
  if (name === 'copy_bits') {
    const { x: left, y: top } = body.srcPos;
    const area = { left, top, right: left + box.right - box.left, bottom: top + box.bottom - box.top };
    return [{ id: surfaceId, area }];
  }
  const images = [body.srcBitmap, body.maskBitmap, body.brush?.pat, body.foreBrush?.pat, body.backBrush?.pat];
  return images
    .filter((one) => one?.type === 'surface')
    .map((one) => ({ id: one.surfaceId, area: { left: 0, top: 0, right: one.width, bottom: one.height } }));
}

const nowhere: Rect = { left: 0, top: 0, right: 0, bottom: 0 };

export interface DrawOptions {
  /** When it is to be seen, on the session's clock in milliseconds; 0 is now. */
  readonly mmTime?: number;
  /** Whether nothing is seen of what was there before: only such pictures can be part of a video. */
  readonly opaque?: boolean;
}

/** The command of a drawing message `name` ("draw_fill"). All pictures are bitmaps or surfaces. */
export function drawCommand(name: string, body: any, { mmTime = 0, opaque = false }: DrawOptions = {}): Command {
  const block = new Block();
  const { surfaceId, box, clip } = body.base;
  block
    .u64(0n)
    .u32(surfaceId)
    .u8(opaque ? 1 : 0, types[name]!, 0)
    .rect(nowhere)
    .rect(box);
  block.u32(clip.type === 'rects' ? 1 : 0);
  block.pointer(
    clip.type === 'rects'
      ? () => {
          block.u32(clip.rects.length).chunk(() => {
            for (const rect of clip.rects) block.rect(rect);
          });
        }
      : undefined,
  );
  block.u32(mmTime);
  const read = readSurfaces(name, body).slice(0, 3);
  for (let i = 0; i < 3; i++) block.u32(read[i]?.id ?? -1);
  for (let i = 0; i < 3; i++) block.rect(read[i]?.area ?? nowhere);
  bodies[name]!(block, body);
  return block.finish();
}

/** A pointer of another shape. `header` and `data` are those of a cursor message. */
export function cursorCommand(position: Point, visible: boolean, header: any, data: Uint8Array): Command {
  const block = new Block();
  block
    .u64(0n)
    .u8(0)
    .point16(position)
    .u8(visible ? 1 : 0);
  block.pointer(() => {
    block.u64(header.unique).u16(header.type, header.width, header.height, header.hotSpotX, header.hotSpotY);
    block.u32(data.length).chunk(() => block.data(data));
  });
  block.data(new Uint8Array(128));
  return block.finish();
}

/** The pointer moves (1) or is hidden (2). */
export function pointerCommand(what: 'moves' | 'hides', position: Point = { x: 0, y: 0 }): Command {
  const block = new Block();
  block
    .u64(0n)
    .u8(what === 'moves' ? 1 : 2)
    .point16(position);
  block.data(new Uint8Array(160));
  return block.finish();
}

/** QXLMonitorsConfig. */
export function monitorsBytes(maxAllowed: number, heads: readonly any[]): Uint8Array {
  const block = new Block();
  block.u16(heads.length, maxAllowed);
  for (const { monitorId, surfaceId, width, height, x, y, flags } of heads) {
    block.u32(monitorId, surfaceId, width, height, x, y, flags);
  }
  return block.finish().bytes;
}
