/** A request whose last byte is sent when the test says so: what happens meanwhile is the test's own. */
import { connect, type Socket } from 'node:net';
import { callMcp } from './oauth-client.ts';
import { statusOf } from './raw-http.ts';

export interface SlowRequest {
  /** Sends the rest. @returns the status; 0: the connection was closed without one. */
  finish(): Promise<number>;
  /** Everything that has come so far. */
  received(): string;
  isOpen(): boolean;
  close(): void;
}

/** A POST to an MCP endpoint that has been let in: head and half of the body are there. */
export async function beginSlowCall(
  mcpUrl: string,
  token: string,
  message: Record<string, unknown>,
  headers: Readonly<Record<string, string>> = {},
): Promise<SlowRequest> {
  const { host, hostname, port, pathname, search } = new URL(mcpUrl);
  const body = JSON.stringify(message);
  const head = [
    `POST ${pathname}${search} HTTP/1.1`,
    `Host: ${host}`,
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    'Accept: application/json, text/event-stream',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ].join('\r\n');
  const socket = await open(hostname, Number(port));
  const state = { received: '', isOpen: true };
  socket.on('data', (chunk) => (state.received += chunk.toString('latin1')));
  socket.on('error', () => {}).once('close', () => (state.isOpen = false));
  const half = Math.floor(body.length / 2);
  await new Promise((resolve) => socket.write(`${head}\r\n\r\n${body.slice(0, half)}`, resolve));
  // Whole, and later on the wire: when it is answered, the slow one has been let in.
  await (await callMcp(mcpUrl, token, 'ping')).arrayBuffer();
  return {
    async finish() {
      socket.write(body.slice(half));
      const hasHead = () => state.received.includes('\r\n\r\n') || !state.isOpen;
      while (!hasHead()) await oneOf(socket, 'data', 'close');
      return statusOf(state.received);
    },
    received: () => state.received,
    isOpen: () => state.isOpen,
    close: () => void socket.destroy(),
  };
}

function open(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

function oneOf(socket: Socket, ...events: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of events) socket.off(event, done);
      resolve();
    };
    for (const event of events) socket.once(event, done);
  });
}
