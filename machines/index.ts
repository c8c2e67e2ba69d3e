/** Every chart by name: tests, the inspector and the documentation iterate over this list. */
import type { AnyStateMachine } from 'xstate';
import { cursorClient } from './cursor/client.ts';
import { cursorServer } from './cursor/server.ts';
import { displayClient } from './display/client.ts';
import { displayServer } from './display/server.ts';
import { inputsClient } from './inputs/client.ts';
import { inputsServer } from './inputs/server.ts';
import { linkClient } from './link/client.ts';
import { linkServer } from './link/server.ts';
import { mainClient } from './main/client.ts';
import { mainServer } from './main/server.ts';
import { migrationClient } from './migration/client.ts';
import { migrationHandshake } from './migration/handshake.ts';
import { hypervisor } from './migration/hypervisor.ts';
import { migrationSource } from './migration/source.ts';
import { migrationTarget } from './migration/target.ts';
import { playbackClient } from './playback/client.ts';
import { playbackServer } from './playback/server.ts';
import { recordClient } from './record/client.ts';
import { recordServer } from './record/server.ts';
import { sessionClient } from './session/client.ts';
import { sessionServer } from './session/server.ts';
import { supervisor } from './supervisor.ts';

export type ChartName =
  | 'supervisor'
  | 'session/client'
  | 'session/server'
  | 'link/client'
  | 'link/server'
  | 'main/client'
  | 'main/server'
  | 'display/client'
  | 'display/server'
  | 'inputs/client'
  | 'inputs/server'
  | 'cursor/client'
  | 'cursor/server'
  | 'playback/client'
  | 'playback/server'
  | 'record/client'
  | 'record/server'
  | 'migration/client'
  | 'migration/handshake'
  | 'migration/source'
  | 'migration/target'
  | 'migration/hypervisor';

export const charts: Readonly<Record<ChartName, AnyStateMachine>> = {
  supervisor,
  'session/client': sessionClient,
  'session/server': sessionServer,
  'link/client': linkClient,
  'link/server': linkServer,
  'main/client': mainClient,
  'main/server': mainServer,
  'display/client': displayClient,
  'display/server': displayServer,
  'inputs/client': inputsClient,
  'inputs/server': inputsServer,
  'cursor/client': cursorClient,
  'cursor/server': cursorServer,
  'playback/client': playbackClient,
  'playback/server': playbackServer,
  'record/client': recordClient,
  'record/server': recordServer,
  'migration/client': migrationClient,
  'migration/handshake': migrationHandshake,
  'migration/source': migrationSource,
  'migration/target': migrationTarget,
  'migration/hypervisor': hypervisor,
};
