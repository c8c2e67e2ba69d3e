/**
 * The public API for Node: a server, a client, what a server can show, and what charts and messages look like to tools.
 * What is not exported here may change without a word. Does nothing when it is imported.
 */

export { EngineWatch } from '../inspector/engine-watch.ts';
export { Hub, type HubOptions } from '../inspector/hub.ts';
export { type Join, joinInspector } from '../inspector/join.ts';
export type { InspectOptions, Inspector } from '../inspector/serve.ts';
export { xstateTap } from '../inspector/xstate-tap.ts';
export {
  type Address,
  type Destination,
  destinationName,
  type HandoverPhase,
  type HandoverReport,
  type ReconnectReport,
  type Scheme,
  type SessionNews,
  schemes,
} from '../machines/contract.ts';
export { type ChartName, charts } from '../machines/index.ts';
export { type ClientChannel, clientChannels } from '../machines/session/client.ts';
export type { SupervisorNews } from '../machines/supervisor.ts';
export { loadOpus, type Opus, type OpusOptions } from './audio/opus.ts';
export { type ConnectionFile, readConnectionFile } from './cli/connection-file.ts';
export { readSpiceUri, type SpiceAddress, writeSpiceUri } from './cli/uri.ts';
export type { ClientAgent } from './client/agent.ts';
/** The client alone, as it runs in a browser too: it is told how to dial. */
export {
  Client,
  type ClientEvent,
  type ClientOptions,
  connect as connectWith,
  resume as resumeWith,
} from './client/client.ts';
export type { ClientClipboard, PasteType } from './client/clipboard.ts';
export type { PointerShape } from './client/cursor-shape.ts';
export type { DisplayOptions, PreferredCompression, VideoCodec } from './client/displays.ts';
export type { Gap } from './client/gap.ts';
export { type Bgrx, encodePng } from './client/png.ts';
export type { ClientPointer, PointerChange } from './client/pointer.ts';
export type { ReconnectOptions } from './client/reconnect.ts';
export { Screen } from './client/screen.ts';
export type { ClientPlayback, ClientRecord, Played, SoundFormat } from './client/sound.ts';
export type { Picture } from './client/surfaces.ts';
export { webVideoDecoders } from './client/web-video.ts';
export { type ConnectOptions, connect, type ResumeOptions } from './connect.ts';
export { type Clock, wallClock } from './engine/clock.ts';
export { type Effect, type Fold, fold, type Step } from './engine/fold.ts';
export { type ReplayStep, replay, replayStream } from './engine/replay.ts';
export { type Mismatch, type Report, verify } from './engine/verify.ts';
export { type StreamReport, verifyStream } from './engine/verify-stream.ts';
export { LinkError, SumacError, UsageError, WireError, type WireFault } from './errors.ts';
export { type Inspection, inspect } from './inspect.ts';
export { JournalError, type JournalFault } from './journal/error.ts';
export type { CheckpointRate, Journal, ReadableJournal } from './journal/journal.ts';
export { MemoryJournal } from './journal/memory.ts';
export { findStream, readStream } from './journal/read.ts';
export { type JournalRecord, LeftOut } from './journal/record.ts';
export type { Store, StreamHead } from './journal/store.ts';
export { type Journals, type OpenJournalOptions, openJournal, openStore } from './open-journal.ts';
export * as protocol from './protocol/index.ts';
export type { AgentNews, AgentPost, ServerAgent } from './server/agent.ts';
export type { ConnectionEvent, OpenConnection, Peer } from './server/connections.ts';
export { createServer, Server, type ServerEvent, type ServerOptions } from './server/server.ts';
export type { Console, CursorShape, Guest, GuestInput, Rect } from './sources/console.ts';
export { readTestCard, type TestCardReading } from './sources/read-test-card.ts';
export { createTestCard, type TestCard, type TestCardOptions } from './sources/test-card.ts';
export { type GuestState, GuestStateError } from './sources/test-card-state.ts';
export { readWav, type Wav, WavError, writeWav } from './sources/wav.ts';
export { TransportError, type TransportFault } from './transport/failure.ts';
export { type Listening, type ListenOptions, listen } from './transport/listen.ts';
export { type MemoryPair, memoryPair } from './transport/memory.ts';
export type { Pipe, PipeHandlers } from './transport/pipe.ts';
export { type DialOptions, dialTcp } from './transport/tcp.ts';
export type { TlsTrust } from './transport/trust.ts';
export { dialWebSocket, type WebSocketPipeOptions, webSocketPipe } from './transport/ws.ts';
export { type Explanation, explain, renderExplanation } from './wire/explain.ts';
