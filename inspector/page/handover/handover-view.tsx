/** A hand-over: the list of them all, and the chosen one with its three lanes on one time axis and its messages in order. */
import { useEffect } from 'preact/hooks';
import { usePage } from '../context.ts';
import { duration } from '../format.ts';
import { HandoverList } from './handover-list.tsx';
import { LanePicture } from './lane-picture.tsx';
import { SchemeSign } from './scheme-sign.tsx';
import { Sequence } from './sequence.tsx';
import { Timeline } from './timeline.tsx';
import { outcomeSigns, outcomeWords, schemeWords, sentence } from './words.ts';

export function HandoverView() {
  const { state } = usePage();
  const move = state.shownHandover;
  useClock(move?.outcome === 'under way' && state.moment === undefined);
  if (move === undefined) return <Nobody />;
  const retold = move.scheme !== move.announced && move.announced !== '';
  return (
    <div class="handover">
      <HandoverList shown={move} />
      <section class="one" aria-label={`Hand-over ${move.number}`}>
        <header class="headline">
          <span class={`badge ${move.outcome.replace(' ', '-')}`}>
            {outcomeSigns[move.outcome]} {outcomeWords[move.outcome]}
          </span>
          <h2>
            <SchemeSign scheme={move.scheme} /> {schemeWords(move)}
            {retold && <span class="quiet"> (announced as {move.announced})</span>}
          </h2>
          <p>{sentence(move, state.at)}</p>
        </header>
        <Timeline move={move} />
        <Sequence move={move} />
      </section>
      <span class="hidden" role="status">
        Hand-over {move.number}, {schemeWords(move)}: {outcomeWords[move.outcome]}
        {move.endedAt !== undefined && ` after ${duration(move.endedAt - move.beganAt)}`}
      </span>
    </div>
  );
}

/** Draws on while deadlines run down. */
function useClock(running: boolean): void {
  const { state } = usePage();
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => state.tick(), 200);
    return () => clearInterval(timer);
  }, [running, state]);
}

/** No hand-over yet: who is there, and what they show. */
function Nobody() {
  const { store, connection } = usePage();
  const parties = [...store.parties.values()].filter((party) => !party.gone && party.side !== 'program');
  return (
    <div class="nobody">
      <h2>No hand-over yet</h2>
      <p class="quiet">
        {connection.status !== 'connected'
          ? 'There is no connection to a program.'
          : parties.length === 0
            ? 'No server and no client are in this feed. Charts of other programs are under Charts.'
            : 'As soon as a server announces one, it is drawn here.'}
      </p>
      <ul class="present">
        {parties.map((party) => (
          <li key={party.id}>
            <LanePicture party={party.id} />
            <b>{party.name}</b>
            <span class="quiet">{party.addresses.join(', ') || party.side}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
