/**
 * A feed of plausible hand-overs, without an engine: two servers and a client, every scheme, cancels and refusals. Times are
 * given, so that a test knows exactly what must come out. It only calls a hub.
 */
import type { Hub } from '../../inspector/hub.ts';

export const kinds = [
  'seamless',
  'semi-seamless',
  'early-link',
  'switch-host',
  'cancel before',
  'cancel after',
  'refused',
  'silent',
] as const;
export type Kind = (typeof kinds)[number];

export const addresses = { a: '127.0.0.1:5901', b: '127.0.0.1:5902' } as const;
export const channels = ['main:0', 'display:0', 'inputs:0', 'cursor:0', 'playback:0', 'record:0'] as const;

type Server = 'server-a' | 'server-b';
interface Step {
  readonly at: number;
  readonly run: () => void;
}

const bodies: Record<string, number> = {
  'msg.migrate_begin': 30,
  'msg.migrate_begin_seamless': 34,
  'msg.init': 32,
  'msg.migrate_data': 88,
};
const dataMessages = /draw_|stream_data|playback|\.data$|\.ack$|mouse_/;

/** Plays hand-overs into a hub. `hub` must have our own charts, by their names. */
export class Synthetic {
  readonly steps: Step[] = [];
  private readonly hub: Hub;
  private present: Server = 'server-a';
  private sessions = { 'server-a': 0, 'server-b': 0 };
  private attempt = 0;
  private connection = 4711;

  constructor(hub: Hub, at: number) {
    this.hub = hub;
    const { hub: h } = this;
    h.party({ id: 'server-a', side: 'server', name: 'server A', addresses: [addresses.a] });
    h.party({ id: 'server-b', side: 'server', name: 'server B', addresses: [addresses.b] });
    h.party({ id: 'client-1', side: 'client', name: 'client', addresses: [] });
    h.actor('server-a', 'supervisor', at);
    h.actor('server-b', 'supervisor', at);
    h.actor('client-1', 'session/client', at);
    this.snap(at, 'server-a', { session: 'idle' }, 'xstate.init');
    this.snap(at, 'client-1', { up: 'staying' }, 'msg.init', { connectionId: this.connection });
    for (const channel of channels) {
      h.actor(`client-1/${channel}`, `${channel.split(':')[0]}/client`, at);
      this.snap(at, `client-1/${channel}`, { flow: 'flowing' }, 'link.attach');
    }
    this.begin(at, 'server-a');
    this.run();
  }

  /** Adds one hand-over that begins at `at`; returns when it is over. */
  handover(kind: Kind, at: number): number {
    const source = this.present;
    const target: Server = source === 'server-a' ? 'server-b' : 'server-a';
    const s = `${source}/session:${this.sessions[source]}`;
    const from = source === 'server-a' ? addresses.a : addresses.b;
    const to = target === 'server-a' ? addresses.a : addresses.b;
    const attempt = ++this.attempt;
    if (kind === 'switch-host') this.connection++;
    const { connection } = this;
    const scheme = kind === 'seamless' || kind === 'early-link' || kind === 'switch-host' ? kind : 'semi-seamless';
    const news = (t: number, phase: string, more: object = {}) =>
      this.step(t, () => {
        const base = { kind: 'handover', actor: 'client-1', at: t, scheme, attempt, from, to, channels } as const;
        this.hub.record({ ...base, phase: phase as never, ...more });
      });
    if (kind === 'switch-host') {
      this.say(at, source, s, 'main:0', 'msg.migrate_switch_host', from);
      news(at + 0.5, 'begun');
      this.step(at + 0.6, () =>
        this.snap(at + 0.6, 'client-1', { 'switching host': 'linking main' }, 'msg.migrate_switch_host'),
      );
      const t = this.arrive(target, at + 40);
      this.say(t, target, `${target}/session:${this.sessions[target]}`, 'main:0', 'msg.init', to);
      this.step(t + 0.5, () =>
        this.snap(t + 0.5, 'client-1', { up: 'staying' }, 'msg.init', { connectionId: connection }),
      );
      news(t + 0.6, 'switched', { gapMs: t + 0.5 - at });
      this.end(t + 30, s);
      return t + 40;
    }
    const announcement =
      kind === 'seamless'
        ? 'msg.migrate_begin_seamless'
        : kind === 'early-link'
          ? 'msg.migrate_switch_host'
          : 'msg.migrate_begin';
    this.step(at - 1, () => {
      this.hub.actor(`${s}/source`, 'migration/source', at - 1);
      this.snap(at - 1, `${s}/source`, kind === 'early-link' ? 'linked' : 'awaiting the answer', 'xstate.init', {
        scheme,
      });
      this.timer(at - 1, `${s}/source`, 'answer deadline', 'set', at + 9_999);
    });
    this.say(at - 0.5, source, s, 'main:0', announcement, from);
    news(at, 'begun');
    const m = 'client-1/migration';
    this.step(at, () => {
      this.hub.actor(m, 'migration/client', at);
      this.snap(at, m, { preparing: 'resolving' }, 'xstate.init', { connectionId: connection });
      this.timer(at, m, 'link deadline', 'set', at + 8_000);
      this.snap(at + 1, m, { preparing: 'linking main' }, 'xstate.done.actor');
    });
    const stop = (t: number, value: string, phase: 'cancelled' | 'failed', reason?: string) => {
      this.step(t, () =>
        this.timer(t, m, 'link deadline', phase === 'failed' && kind === 'silent' ? 'fired' : 'stopped'),
      );
      this.step(t, () => this.snap(t, m, value, 'msg.migrate_cancel', {}, 'done'));
      news(t, phase, reason === undefined ? {} : { reason });
    };
    if (kind === 'refused') {
      stop(at + 12, 'refused', 'failed', 'main:0: the server refused the ticket');
      this.say(at + 12.2, 'client-1', s, 'main:0', 'msgc.migrate_connect_error', from);
      this.step(at + 13, () =>
        this.snap(at + 13, `${s}/source`, 'not linked', 'msgc.migrate_connect_error', { scheme }),
      );
      this.step(at + 60, () => this.snap(at + 60, `${s}/source`, 'stayed', 'migration.end', { scheme }, 'done'));
      return at + 70;
    }
    if (kind === 'silent') {
      stop(at + 8_000, 'refused', 'failed', 'the target does not answer in time');
      this.say(at + 8_000.2, 'client-1', s, 'main:0', 'msgc.migrate_connect_error', from);
      this.step(at + 8_100, () => this.snap(at + 8_100, `${s}/source`, 'stayed', 'migration.end', { scheme }, 'done'));
      return at + 8_110;
    }
    if (kind === 'cancel before') {
      this.say(at + 9, source, s, 'main:0', 'msg.migrate_cancel', from);
      this.step(at + 9, () => this.snap(at + 9, `${s}/source`, 'stayed', 'migration.end', { scheme }, 'done'));
      stop(at + 9.6, 'cancelled', 'cancelled');
      return at + 30;
    }
    const n = ++this.sessions[target];
    const t = `${target}/session:${n}`;
    this.step(at + 14, () => {
      this.hub.actor(t, 'session/server', at + 14);
      this.hub.actor(`${t}/target`, 'migration/target', at + 14);
      this.snap(at + 14, t, 'being a target', 'xstate.init', { connectionId: connection });
      this.snap(at + 14, `${t}/target`, 'parked', 'xstate.init');
    });
    this.step(at + 16, () =>
      this.snap(
        at + 16,
        m,
        kind === 'seamless'
          ? { preparing: { 'linking seamlessly': { channels: 'linking', handshake: 'asking' } } }
          : { preparing: 'linking' },
        'link.up',
      ),
    );
    if (kind === 'seamless') {
      this.say(at + 17, 'client-1', t, 'main:0', 'msgc.migrate_dst_do_seamless', to);
      this.say(at + 18, target, t, 'main:0', 'msg.migrate_dst_seamless_ack', to);
    }
    const linked = at + 40;
    this.step(linked, () => {
      this.timer(linked, m, 'link deadline', 'stopped');
      this.snap(linked, m, 'linked', 'link.up');
    });
    news(linked, 'linked');
    if (kind !== 'early-link')
      this.say(
        linked + 0.2,
        'client-1',
        s,
        'main:0',
        kind === 'seamless' ? 'msgc.migrate_connected_seamless' : 'msgc.migrate_connected',
        from,
      );
    this.step(linked + 1, () => {
      this.timer(linked + 1, `${s}/source`, 'answer deadline', 'stopped');
      this.snap(linked + 1, `${s}/source`, 'linked', 'msgc.migrate_connected', { scheme });
    });
    for (let k = 0; k < 12; k++) this.say(linked + 2 + k * 8, source, s, 'display:0', 'msg.draw_copy', from, 9_000 + k);
    const end = linked + 105;
    if (kind === 'cancel after') {
      this.say(end, source, s, 'main:0', 'msg.migrate_cancel', from);
      this.step(end, () => this.snap(end, `${s}/source`, 'stayed', 'migration.end', { scheme }, 'done'));
      stop(end + 0.6, 'cancelled', 'cancelled');
      this.step(end + 3, () => this.snap(end + 3, `${t}/target`, 'abandoned', 'link.lost', {}, 'done'));
      this.end(end + 4, t);
      return end + 30;
    }
    this.step(end, () => {
      this.snap(end, `${s}/source`, 'departing', 'migration.end', { scheme });
      this.timer(end, `${s}/source`, 'departure deadline', 'set', end + 10_000);
    });
    const switched = this.over(kind, end, { s, t, m, source, target, from, to });
    news(switched, 'switched', { gapMs: switched - end - 0.4 });
    this.step(switched, () => this.snap(switched, m, 'switched', 'channel.switched', {}, 'done'));
    this.step(switched + 2, () => {
      this.timer(switched + 2, `${s}/source`, 'departure deadline', 'stopped');
      this.snap(switched + 2, `${s}/source`, 'departed', 'session.empty', { scheme }, 'done');
    });
    for (let k = 0; k < 6; k++) this.say(switched + 1 + k * 8, target, t, 'display:0', 'msg.draw_copy', to, 9_100 + k);
    this.end(switched + 6, s);
    this.present = target;
    return switched + 60;
  }

  /** Carries everything out that was added, at once. */
  run(): void {
    this.steps.sort((a, b) => a.at - b.at);
    for (const step of this.steps.splice(0)) step.run();
  }

  /** Carries out what is due at `at`. */
  runUntil(at: number): void {
    this.steps.sort((a, b) => a.at - b.at);
    while (this.steps[0] !== undefined && this.steps[0].at <= at) this.steps.shift()!.run();
  }

  private over(
    kind: Kind,
    end: number,
    w: { s: string; t: string; m: string; source: Server; target: Server; from: string; to: string },
  ): number {
    const left = (at: number, channel: string) =>
      this.step(at, () => {
        this.hub.record({ kind: 'event', actor: w.m, at, type: 'channel.left', detail: { channel } });
        this.snap(at, `client-1/${channel}`, { flow: 'handing over' }, 'msg.migrate');
      });
    const moved = (at: number, channel: string) =>
      this.step(at, () => {
        this.hub.record({ kind: 'event', actor: w.m, at, type: 'channel.switched', detail: { channel } });
        this.snap(at, `client-1/${channel}`, { flow: 'flowing' }, 'migration.switch');
      });
    this.step(end + 0.7, () =>
      this.snap(end + 0.7, w.m, kind === 'semi-seamless' ? 'switching main' : 'switching', 'msg.migrate_end'),
    );
    if (kind === 'semi-seamless') {
      this.say(end, w.source, w.s, 'main:0', 'msg.migrate_end', w.from);
      this.say(end + 0.9, 'client-1', w.t, 'main:0', 'msgc.migrate_end', w.to);
      this.step(end + 1.5, () => this.snap(end + 1.5, `${w.t}/target`, 'arrived', 'msgc.migrate_end', {}, 'done'));
      this.say(end + 2, w.target, w.t, 'main:0', 'msg.init', w.to);
      moved(end + 2.6, 'main:0');
      channels.slice(1).forEach((channel, i) => {
        moved(end + 3 + i * 0.7, channel);
      });
      this.say(end + 4, w.target, w.t, 'display:0', 'msg.surface_create', w.to);
      this.say(end + 5, w.target, w.t, 'cursor:0', 'msg.init', w.to);
      return end + 7;
    }
    if (kind === 'early-link') {
      channels.forEach((channel, i) => {
        const at = end + i * 0.3;
        this.say(at, w.source, w.s, channel, 'msg.migrate', w.from);
        left(at + 0.5, channel);
        moved(at + 0.8, channel);
      });
      this.step(end + 3, () => this.snap(end + 3, `${w.t}/target`, 'arrived', 'guest.arrived', {}, 'done'));
      this.say(end + 3.2, w.target, w.t, 'main:0', 'msg.multi_media_time', w.to);
      this.say(end + 3.6, w.target, w.t, 'display:0', 'msg.surface_create', w.to);
      return end + 4.4;
    }
    channels.forEach((channel, i) => {
      const at = end + i * 0.4;
      const carries = /main|display|inputs/.test(channel);
      this.say(at, w.source, w.s, channel, 'msg.migrate', w.from);
      if (carries) {
        this.say(at + 0.6, 'client-1', w.s, channel, 'msgc.migrate_flush_mark', w.from);
        this.say(at + 1.1, w.source, w.s, channel, 'msg.migrate_data', w.from);
        this.say(at + 1.8, 'client-1', w.t, channel, 'msgc.migrate_data', w.to);
      }
      left(at + 1.6, channel);
      moved(at + 1.9, channel);
    });
    this.step(end + 5, () => this.snap(end + 5, `${w.t}/target`, 'arrived', 'channel.loaded', {}, 'done'));
    this.say(end + 5.2, w.target, w.t, 'display:0', 'msg.inval_all_pixmaps', w.to);
    return end + 6.1;
  }

  private begin(at: number, server: Server): void {
    const s = `${server}/session:${++this.sessions[server]}`;
    const { connection } = this;
    this.step(at, () => {
      this.hub.actor(s, 'session/server', at);
      this.snap(at, s, { up: 'staying' }, 'link.asks', { connectionId: connection });
      for (const channel of channels) {
        this.hub.actor(`${s}/${channel}`, `${channel.split(':')[0]}/server`, at);
        this.snap(at, `${s}/${channel}`, { flow: 'flowing' }, 'link.attach');
      }
    });
    this.present = server;
  }

  private arrive(server: Server, at: number): number {
    this.begin(at, server);
    return at + 60;
  }

  private end(at: number, session: string): void {
    this.step(at, () => {
      for (const channel of channels) this.hub.actorStopped(`${session}/${channel}`, at);
      this.hub.actorStopped(session, at);
    });
  }

  private step(at: number, run: () => void): void {
    this.steps.push({ at, run });
  }

  private snap(at: number, actor: string, value: unknown, on: string, context: object = {}, status = 'active'): void {
    this.hub.snapshot(actor, { status, value, context }, on, at);
  }

  private timer(at: number, actor: string, name: string, state: 'set' | 'fired' | 'stopped', dueAt?: number): void {
    this.hub.record({ kind: 'timer', actor, at, name, state, ...(dueAt === undefined ? {} : { dueAt }) });
  }

  /** A message, as its sender wrote it and, 0.4 ms later, as its receiver read it. `session` is the server's end. */
  private say(
    at: number,
    who: Server | 'client-1',
    session: string,
    channel: string,
    name: string,
    server: string,
    size = bodies[name] ?? 4,
  ): void {
    const fromServer = who !== 'client-1';
    const path = dataMessages.test(name) ? 'data' : 'control';
    const atServer = { actor: `${session}/${channel}`, peer: '127.0.0.1:40000' };
    const atClient = { actor: `client-1/${channel}`, peer: server };
    const [sender, receiver] = fromServer ? [atServer, atClient] : [atClient, atServer];
    const base = { kind: 'wire', channel, name, size, path } as const;
    this.step(at, () => this.hub.record({ ...base, ...sender, at, direction: 'out' }, new Uint8Array(size)));
    this.step(at + 0.4, () =>
      this.hub.record({ ...base, ...receiver, at: at + 0.4, direction: 'in' }, new Uint8Array(size)),
    );
  }
}
