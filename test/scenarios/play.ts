/**
 * Plays a scenario: everything that would come by chance is fixed, then the story runs to its end, what it says must hold is
 * asked, and the transcript is what is left of it. Says whether a story broke a promise or only went another way.
 */

import { Stage } from './stage.ts';
import { calendar } from './stage-time.ts';

export interface Scenario {
  /** The name of its transcript: "semi-seamless-cancelled". */
  readonly name: string;
  /** One sentence: what happens, and what must come of it. */
  readonly about: string;
  /** Its transcript tells each step of links that are being made. */
  readonly closely?: boolean;
  /** Throws when something is not as it must be. */
  readonly story: (stage: Stage) => Promise<void>;
}

export interface Played {
  readonly transcript: string;
  /** What did not hold. */
  readonly broken?: string | undefined;
  readonly visited: ReadonlySet<string>;
}

const headed = (name: string, about: string, text: string): string => `${name}\n${about}\n\n${text}`;

/** `wanted`: the transcript that it should have; as soon as it has another one, it ends. */
export async function play({ name, about, closely = false, story }: Scenario, wanted?: string): Promise<Played> {
  const restore = calendar();
  const stage = new Stage(wanted?.slice(headed(name, about, '').length).split('\n'));
  stage.transcript.closely = closely;
  let broken: string | undefined;
  try {
    await story(stage);
  } catch (error) {
    if (!stage.transcript.astray) broken = (error as Error).message;
  }
  const { text, visited } = stage.transcript;
  try {
    await stage.close();
  } catch (error) {
    broken ??= `when all is over: ${(error as Error).message}`;
  } finally {
    restore();
  }
  return { transcript: headed(name, about, text), broken, visited };
}
