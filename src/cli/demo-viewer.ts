/**
 * The client of the main job. One that speaks early-link takes a late `migrate_switch_host` for an early link's announcement,
 * so that nobody can be moved by both schemes: it makes way for another client when the other kind is wanted.
 */
import type { Scheme } from '../../machines/contract.ts';
import type { Client } from '../client/client.ts';
import { allUp } from './demo-acts.ts';
import type { Stage } from './demo-stage.ts';

/** What a client speaks when nothing is said: all that viewers other than ours know. */
export const usual = ['seamless', 'semi-seamless', 'switch-host'] as const;
const early = ['seamless', 'early-link', 'semi-seamless'] as const;

export class Viewer {
  client: Client;
  private readonly stage: Stage;
  private readonly show: (client: Client) => void;
  private early = false;

  /** `show` is told of each client as it begins. */
  constructor(stage: Stage, show: (client: Client) => void) {
    this.stage = stage;
    this.show = show;
    this.client = stage.client(usual);
  }

  /** A client that can be moved like this, with every channel up. */
  async for(scheme?: Scheme): Promise<Client> {
    const wanted = scheme === 'early-link' || (this.early && scheme !== 'switch-host');
    if (wanted !== this.early) {
      this.client.close();
      this.early = wanted;
      this.client = this.stage.client(wanted ? early : usual);
      this.show(this.client);
    }
    await allUp(this.client);
    return this.client;
  }

  close(): void {
    this.client.close();
  }
}
