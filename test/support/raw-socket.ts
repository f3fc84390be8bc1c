/** A connection whose every byte, pause and end is the test's own. */
import { connect } from 'node:net';

export interface ConversationOptions {
  /** Sends the end of the stream after the last piece, and goes on reading. */
  readonly hangsUp?: boolean;
  /** Reads no further once this is so. */
  readonly isEnough?: (received: string) => boolean;
  /** Waits no longer for the other side to close; default 20,000. */
  readonly boundMs?: number;
}

export interface Conversation {
  /** One character per byte. */
  readonly received: string;
  /** The other side neither closed nor said enough. */
  readonly isBound: boolean;
}

/** Writes each piece as a packet of its own, and reads until the other side closes. */
export function converse(
  origin: string,
  pieces: readonly string[],
  options: ConversationOptions = {},
): Promise<Conversation> {
  const { hangsUp = false, isEnough = () => false, boundMs = 20_000 } = options;
  const { hostname, port } = new URL(origin);
  return new Promise((resolve) => {
    let received = '';
    const socket = connect({ host: hostname, port: Number(port), noDelay: true, allowHalfOpen: true });
    const finish = (isBound: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ received, isBound });
    };
    const timer = setTimeout(() => finish(true), boundMs);
    const write = (index: number): void => {
      const piece = pieces[index];
      if (piece === undefined) {
        if (hangsUp) socket.end();
        return;
      }
      // The next one only when this one is out: else the kernel makes one packet of them.
      socket.write(piece, 'latin1', () => setImmediate(write, index + 1));
    };
    socket.once('connect', () => write(0));
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (isEnough(received)) finish(false);
    });
    for (const event of ['end', 'close', 'error']) socket.once(event, () => finish(false));
  });
}

export function statusesOf(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}
