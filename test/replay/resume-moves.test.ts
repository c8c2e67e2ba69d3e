/** Every crash point of moves that come to their end. */
import { dieEverywhere } from './resume-points.ts';

dieEverywhere(['seamless', 'semi-seamless', 'switch-host']);
