/** What the browser test runs within the page: our client on WebSockets, and a few words for the test to drive it with. */
import { type Client, type ClientEvent, connect } from '../../../src/client/client.ts';
import { dialWebSocket } from '../../../src/transport/ws.ts';

const events: ClientEvent[] = [];
let client: Client | undefined;

Object.assign(globalThis, {
  sumac: {
    connect(port: number, password: string) {
      client = connect({
        destination: { host: '127.0.0.1', port },
        password,
        dial: (destination, _secure, signal) =>
          dialWebSocket(`ws://${destination.host}:${destination.port}/`, { signal }),
      });
      client.events.subscribe((event) => events.push(event));
    },
    events: () => JSON.parse(JSON.stringify(events)) as ClientEvent[],
    channels: () => [...(client?.channels ?? [])],
    key(code: number) {
      client?.input.keyDown(code);
      client?.input.keyUp(code | 0x80);
    },
    /** The picture as base64 of its BGRX bytes. */
    async picture() {
      const screen = client?.screens.get('display:0');
      await screen?.settled();
      const shown = screen?.shown();
      if (shown === undefined) return undefined;
      let text = '';
      for (let at = 0; at < shown.data.length; at += 8192)
        text += String.fromCharCode(...shown.data.subarray(at, at + 8192));
      return { width: shown.width, height: shown.height, data: btoa(text) };
    },
  },
});
