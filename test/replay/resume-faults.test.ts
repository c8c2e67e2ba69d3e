/** Every crash point of moves that do not, and one that begins early. */
import { dieEverywhere } from './resume-points.ts';

dieEverywhere([
  'early-link',
  'cancelled',
  'refused, and sent there at the end',
  'the target is cut off while it is linked',
]);
