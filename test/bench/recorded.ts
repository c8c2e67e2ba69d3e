/** The messages of a display channel as they were sent, and how fast our client decodes and draws them again. */
import { Caches } from '../../src/client/caches.ts';
import { Screen } from '../../src/client/screen.ts';
import { loadJpeg } from '../../src/image/jpeg.ts';
import { type AnyMessage, decodeMessage, encodeMessage } from '../../src/protocol/channel.ts';
import { DisplayChannel } from '../../src/protocol/display.ts';

/** `at`: milliseconds from the beginning. */
export interface Recorded {
  readonly at: number;
  readonly number: number;
  readonly body: Uint8Array;
}

/** Records a message of the channel; those that every channel has are left out. */
export function record(session: Recorded[], message: AnyMessage, at = 0): void {
  if (!Object.hasOwn(DisplayChannel.server, message.type.slice(4))) return;
  session.push({ at, ...encodeMessage(DisplayChannel, 'server', message) });
}

export async function newScreen(): Promise<Screen> {
  const jpeg = await loadJpeg();
  return new Screen({ caches: new Caches({}, async () => jpeg) });
}

export const apply = (screen: Screen, { number, body }: Recorded): void =>
  screen.apply(decodeMessage(DisplayChannel, 'server', number, body));

/** Decodes and draws a session as fast as it goes, the second time of two. Throws when something could not be drawn. */
export async function replay(session: readonly Recorded[]): Promise<{ screen: Screen; seconds: number }> {
  const run = async (): Promise<{ screen: Screen; seconds: number }> => {
    const screen = await newScreen();
    const start = performance.now();
    for (const one of session) apply(screen, one);
    await screen.settled();
    return { screen, seconds: (performance.now() - start) / 1000 };
  };
  await run();
  const done = await run();
  if (done.screen.undrawn.size > 0) throw new Error(`undrawn: ${JSON.stringify([...done.screen.undrawn])}`);
  return done;
}
