/** What somebody at the inspector's page wants of the main job: buttons there, acts here. */
import { UsageError } from '../errors.ts';
import { type Act, cancelled, type Journey, misled, moved } from './demo-acts.ts';
import { faults, type Stage } from './demo-stage.ts';
import type { Viewer } from './demo-viewer.ts';
import type { InspectionControls } from './inspector.ts';

/** Something to do with the guest. */
export type Wish = (stage: Stage, viewer: Viewer, journey: Journey) => Promise<Act>;

const schemes = ['seamless', 'early-link', 'semi-seamless', 'switch-host'] as const;
const mostMs = 30_000;
const channels = ['display:0', 'inputs:0', 'cursor:0', 'playback:0', 'record:0'] as const;

export class Wishes {
  /** Resolves when there is a wish. */
  next: Promise<void>;
  /** Resolves when the move that is under way is to be given up. */
  giveUp: Promise<void>;
  /** The guest is on its way, or a move to nowhere is. */
  moving = false;
  /** Something was broken on purpose: what goes wrong now is nobody's fault. */
  meddled = false;
  private wish: Wish | undefined;
  private wake = () => {};
  private stop = () => {};

  constructor() {
    this.next = this.sleep();
    this.giveUp = this.goOn();
  }

  take(): Wish | undefined {
    const { wish } = this;
    this.wish = undefined;
    this.next = this.sleep();
    this.giveUp = this.goOn();
    return wish;
  }

  controls(stage: Stage): InspectionControls {
    const doers: Readonly<Record<string, (fields: Readonly<Record<string, string>>) => void>> = {
      move: ({ scheme, takes }) => {
        const wanted = schemes.find((one) => one === scheme);
        if (wanted === undefined) throw new UsageError(`${scheme} is no scheme of this client`);
        const wished = { takes: milliseconds(takes) };
        this.make(async (on, viewer, journey) =>
          moved(on, await viewer.for(wanted), wanted, { ...journey, ...wished }),
        );
      },
      cancel: () => {
        if (this.moving) this.stop();
        else this.make(async (on, viewer) => cancelled(on, await viewer.for(), 'cancel after link'));
      },
      fail: ({ target }) => {
        const fault = faults.find((one) => one === target);
        if (fault === undefined) throw new UsageError(`a target can be one that ${faults.join(' or ')}`);
        this.make(async (on, viewer, journey) => misled(on, await viewer.for(), `target ${fault}`, fault, journey));
      },
      drop: ({ channel }) => {
        this.meddled = true;
        stage.home.server.dropChannel(channel ?? '', 'dropped from the inspector');
      },
      cut: () => {
        this.meddled = true;
        stage.cut();
      },
      delay: ({ ms }) => {
        stage.linkDelay = milliseconds(ms);
      },
    };
    return {
      controls: [
        {
          name: 'move',
          title: 'Move the guest',
          fields: [
            { name: 'scheme', choices: schemes, value: 'seamless' },
            { name: 'takes', title: 'milliseconds that it takes', value: '1500' },
          ],
        },
        { name: 'cancel', title: 'Cancel the move, or begin one and cancel it' },
        {
          name: 'fail',
          title: 'Begin a move that fails',
          fields: [{ name: 'target', title: 'the target', choices: faults, value: 'refuses' }],
        },
        {
          name: 'drop',
          title: 'Drop a channel',
          harsh: true,
          fields: [{ name: 'channel', choices: channels, value: 'display:0' }],
        },
        { name: 'cut', title: 'Cut every connection', harsh: true },
        {
          name: 'delay',
          title: 'Delay links',
          fields: [{ name: 'ms', title: 'milliseconds before a link is made', value: '500' }],
        },
      ],
      onControl: async (name, fields) => doers[name]?.(fields),
    };
  }

  private make(wish: Wish): void {
    this.wish = wish;
    this.wake();
  }

  private goOn(): Promise<void> {
    return new Promise((resolve) => {
      this.stop = resolve;
    });
  }

  private sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}

function milliseconds(text: string | undefined): number {
  const wanted = Number(text);
  if (!(wanted >= 0 && wanted <= mostMs)) throw new UsageError(`0 to ${mostMs} milliseconds`);
  return wanted;
}
