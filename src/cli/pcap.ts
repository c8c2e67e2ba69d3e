/**
 * Writes TCP connections as packets that Wireshark opens: what was said, when, and by whom, on a network that never was. The
 * connections are whole: they begin with SYN, nothing is lost, and sums are right.
 */

export interface End {
  /** Four numbers. */
  readonly address: readonly [number, number, number, number];
  readonly port: number;
}

const flag = { fin: 0x01, syn: 0x02, psh: 0x08, ack: 0x10 } as const;

/** Bytes of a packet; a message may need several. */
const mostPayload = 32 * 1024;
const linkTypeRaw = 101;
const snapLength = 65_535;

export class PacketFile {
  private readonly write: (bytes: Uint8Array) => void;
  private packets = 0;

  constructor(write: (bytes: Uint8Array) => void) {
    this.write = write;
    const head = new DataView(new ArrayBuffer(24));
    head.setUint32(0, 0xa1b2c3d4, true);
    head.setUint16(4, 2, true);
    head.setUint16(6, 4, true);
    head.setUint32(16, snapLength, true);
    head.setUint32(20, linkTypeRaw, true);
    write(new Uint8Array(head.buffer));
  }

  get count(): number {
    return this.packets;
  }

  /** Opens a connection. `at`: milliseconds since 1970. */
  connection(client: End, server: End, at: number): PacketConnection {
    return new PacketConnection(this, client, server, at);
  }

  /** For connections: one packet. */
  packet(
    at: number,
    from: End,
    to: End,
    numbers: { sequence: number; acknowledged: number; flags: number },
    data: Uint8Array,
  ): void {
    const size = 40 + data.length;
    const bytes = new Uint8Array(16 + size);
    const head = new DataView(bytes.buffer);
    const micros = Math.max(0, Math.round(at * 1000));
    head.setUint32(0, Math.floor(micros / 1e6), true);
    head.setUint32(4, micros % 1e6, true);
    head.setUint32(8, size, true);
    head.setUint32(12, size, true);
    const ip = new DataView(bytes.buffer, 16);
    ip.setUint8(0, 0x45);
    ip.setUint16(2, size);
    ip.setUint16(4, this.packets & 0xffff);
    ip.setUint16(6, 0x4000);
    ip.setUint8(8, 64);
    ip.setUint8(9, 6);
    for (let i = 0; i < 4; i++) {
      ip.setUint8(12 + i, from.address[i]!);
      ip.setUint8(16 + i, to.address[i]!);
    }
    ip.setUint16(10, sumOf(bytes.subarray(16, 36), 0));
    const tcp = new DataView(bytes.buffer, 36);
    tcp.setUint16(0, from.port);
    tcp.setUint16(2, to.port);
    tcp.setUint32(4, numbers.sequence);
    tcp.setUint32(8, numbers.acknowledged);
    tcp.setUint8(12, 0x50);
    tcp.setUint8(13, numbers.flags);
    tcp.setUint16(14, 0xffff);
    bytes.set(data, 56);
    let pseudo = 6 + size - 20;
    for (const { address } of [from, to]) pseudo += ((address[0] << 8) | address[1]) + ((address[2] << 8) | address[3]);
    tcp.setUint16(16, sumOf(bytes.subarray(36), pseudo));
    this.packets++;
    this.write(bytes);
  }
}

export class PacketConnection {
  private readonly file: PacketFile;
  private readonly ends: { readonly client: End; readonly server: End };
  private readonly next = { client: 1, server: 1 };
  private closed = false;

  constructor(file: PacketFile, client: End, server: End, at: number) {
    this.file = file;
    this.ends = { client, server };
    const none = new Uint8Array();
    file.packet(at, client, server, { sequence: 0, acknowledged: 0, flags: flag.syn }, none);
    file.packet(at, server, client, { sequence: 0, acknowledged: 1, flags: flag.syn | flag.ack }, none);
    file.packet(at, client, server, { sequence: 1, acknowledged: 1, flags: flag.ack }, none);
  }

  say(at: number, from: 'client' | 'server', bytes: Uint8Array): void {
    if (this.closed) return;
    for (let i = 0; i < bytes.length; i += mostPayload) {
      this.send(at, from, flag.ack | flag.psh, bytes.subarray(i, i + mostPayload));
    }
  }

  close(at: number): void {
    if (this.closed) return;
    this.closed = true;
    for (const from of ['client', 'server'] as const) {
      this.send(at, from, flag.fin | flag.ack, new Uint8Array());
      this.next[from] = (this.next[from] + 1) >>> 0;
    }
    this.send(at, 'client', flag.ack, new Uint8Array());
  }

  private send(at: number, from: 'client' | 'server', flags: number, data: Uint8Array): void {
    const to = from === 'client' ? 'server' : 'client';
    const { next, ends } = this;
    this.file.packet(at, ends[from], ends[to], { sequence: next[from], acknowledged: next[to], flags }, data);
    next[from] = (next[from] + data.length) >>> 0;
  }
}

/** The sum of the internet: ones' complement of 16-bit words. */
function sumOf(bytes: Uint8Array, start: number): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}
