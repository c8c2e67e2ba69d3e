/** What somebody at the inspector's page wants of the main job: buttons there, acts here. */
import type { Client } from '../client/client.ts';
import { UsageError } from '../errors.ts';
import { type Act, cancelled, misled, moved } from './demo-acts.ts';
import type { Stage } from './demo-stage.ts';
import type { InspectionControls } from './inspector.ts';

type Wish = (stage: Stage, client: Client) => Promise<Act>;

const schemes = ['seamless', 'semi-seamless', 'switch-host'] as const;
const channels = ['display:0', 'inputs:0', 'cursor:0', 'playback:0', 'record:0'] as const;

export class Wishes {
  /** Resolves when there is a wish. */
  next: Promise<void>;
  private wish: Wish | undefined;
  private wake = () => {};

  constructor() {
    this.next = this.sleep();
  }

  take(): Wish | undefined {
    const { wish } = this;
    this.wish = undefined;
    this.next = this.sleep();
    return wish;
  }

  controls(stage: Stage): InspectionControls {
    const doers: Readonly<Record<string, (fields: Readonly<Record<string, string>>) => void>> = {
      move: ({ scheme }) => {
        const wanted = schemes.find((one) => one === scheme);
        if (wanted === undefined) throw new UsageError(`${scheme} is no scheme of this client`);
        this.make((on, client) => moved(on, client, wanted));
      },
      cancel: () => this.make((on, client) => cancelled(on, client, 'cancel after link')),
      fail: () => this.make((on, client) => misled(on, client, 'target refuses', 'refuses')),
      drop: ({ channel }) => stage.home.server.dropChannel(channel ?? '', 'dropped from the inspector'),
      delay: ({ ms }) => {
        const wanted = Number(ms);
        if (!(wanted >= 0 && wanted <= 30_000)) throw new UsageError('0 to 30000 milliseconds');
        stage.linkDelay = wanted;
      },
    };
    return {
      controls: [
        { name: 'move', title: 'Move the guest', fields: [{ name: 'scheme', choices: schemes, value: 'seamless' }] },
        { name: 'cancel', title: 'Begin a move and cancel it' },
        { name: 'fail', title: 'Begin a move to nowhere' },
        {
          name: 'drop',
          title: 'Drop a channel',
          harsh: true,
          fields: [{ name: 'channel', choices: channels, value: 'display:0' }],
        },
        { name: 'delay', title: 'Delay links', fields: [{ name: 'ms', value: '500' }] },
      ],
      onControl: async (name, fields) => doers[name]?.(fields),
    };
  }

  private make(wish: Wish): void {
    this.wish = wish;
    this.wake();
  }

  private sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}
