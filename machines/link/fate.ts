/** What a link of either side tells its parent about itself. */
import type { Address, Agreed, LinkFate, LinkName } from '../contract.ts';

interface Told {
  readonly link: LinkName;
  readonly channel: Address;
}

export const up = ({ link, channel, agreed }: Told & { readonly agreed: Agreed }): LinkFate => ({
  type: 'link.up',
  link,
  channel,
  agreed,
});

export const failed = ({
  link,
  channel,
  reason,
  code,
}: Told & { readonly reason: string; readonly code?: number | undefined }): LinkFate => ({
  type: 'link.failed',
  link,
  channel,
  reason,
  ...(code === undefined ? {} : { code }),
});

export const lost = ({ link, channel }: Told): LinkFate => ({ type: 'link.lost', link, channel });
