/** The time of the whole feed: a slider with every hand-over on it, play, step and jump, and the way back to now. */
import { useState } from 'preact/hooks';
import { usePage } from './context.ts';
import type { FeedStore } from './feed-store.ts';
import { clock, duration } from './format.ts';
import { LanePicture } from './handover/lane-picture.tsx';
import { passes } from './messages/message-filter.ts';
import type { ViewState } from './view-state.ts';

const speeds = [0.01, 0.1, 1, 10] as const;

export function TimeBar() {
  const { store, state } = usePage();
  const [speed, setSpeed] = useState(1);
  const first = store.records[0]?.at ?? store.now();
  const last = Math.max(store.records.at(-1)?.at ?? first, first + 1);
  const live = state.moment === undefined;
  const at = live ? last : Math.min(last, Math.max(first, state.at));
  const place = (time: number) => `${(100 * (time - first)) / (last - first)}%`;
  const step = (by: 1 | -1) => state.step(by, (record) => passes(record, state.filter));
  const client = clientAt(store, state, at);
  const moves = store.handovers.list.filter((move) => move.beganAt >= first);
  return (
    <footer class="time-bar">
      <div class="buttons">
        <button
          type="button"
          class="icon"
          title="Hand-over before ([)"
          aria-label="Hand-over before"
          onClick={() => state.jump(-1)}
        >
          |◂
        </button>
        <button
          type="button"
          class="icon"
          title="One record back (←)"
          aria-label="One record back"
          onClick={() => step(-1)}
        >
          ◂
        </button>
        <button
          type="button"
          class="icon"
          title="Play (space)"
          aria-label={state.playing === undefined ? 'Play' : 'Pause'}
          onClick={() => state.playOrPause(speed)}
        >
          {state.playing === undefined ? '▶' : '❚❚'}
        </button>
        <button type="button" class="icon" title="One record on (→)" aria-label="One record on" onClick={() => step(1)}>
          ▸
        </button>
        <button
          type="button"
          class="icon"
          title="Next hand-over (])"
          aria-label="Next hand-over"
          onClick={() => state.jump(1)}
        >
          ▸|
        </button>
        <select
          aria-label="Speed"
          title="Speed"
          value={speed}
          onChange={(event) => {
            const chosen = Number(event.currentTarget.value);
            setSpeed(chosen);
            if (state.playing !== undefined) state.play(chosen);
          }}
        >
          {speeds.map((one) => (
            <option key={one} value={one}>
              {one}×
            </option>
          ))}
        </select>
      </div>
      <div class="slider">
        <div class="moves" aria-hidden="true">
          {moves.map((move) => (
            <span
              key={move.id}
              class={`move ${move.outcome.replace(' ', '-')}`}
              style={{
                left: place(move.beganAt),
                width: `max(3px, ${place(first + (move.endedAt ?? last) - move.beganAt)})`,
              }}
            />
          ))}
        </div>
        <input
          type="range"
          aria-label="Moment"
          aria-valuetext={live ? 'now' : clock(at)}
          min={0}
          max={100_000}
          step={1}
          value={Math.round((100_000 * (at - first)) / (last - first))}
          onInput={(event) => {
            state.stop();
            state.goTo(first + ((last - first) * Number(event.currentTarget.value)) / 100_000);
          }}
        />
      </div>
      {client !== undefined && (
        <span class="seen" title={`What ${store.parties.get(client)?.name ?? client} showed then`}>
          <LanePicture party={client} />
        </span>
      )}
      <output class="clock" title={`${duration(last - first)} are here, from ${clock(first)}`}>
        {clock(at)}
      </output>
      <button
        type="button"
        class={`live ${live ? 'on' : ''}`}
        aria-pressed={live}
        title="Back to now (L)"
        onClick={() => state.goLive()}
      >
        {store.mode === 'journal' ? 'End' : 'Live'}
      </button>
    </footer>
  );
}

/** The client whose picture belongs to the moment: the one of the hand-over that is shown, if it was there, else the newest. */
function clientAt(store: FeedStore, state: ViewState, at: number): string | undefined {
  const led = state.shownHandover?.lanes.client.party;
  const clients = [...store.parties.values()].filter((party) => party.side === 'client').map((party) => party.id);
  const there = (party: string) => {
    const session = store.actors.get(party);
    return session !== undefined && session.startedAt <= at && (session.stoppedAt ?? Number.POSITIVE_INFINITY) >= at;
  };
  if (led !== undefined && there(led)) return led;
  return clients.findLast(there) ?? led ?? clients.at(-1);
}
