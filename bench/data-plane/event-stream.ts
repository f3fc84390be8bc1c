/** An event stream read from a bare socket, as cheaply as can be: thousands of them in one process. */
import { connect, type Socket } from 'node:net';

export interface Stream {
  readonly socket: Socket;
  /** Settles with the time from the request to the first byte, in milliseconds. */
  readonly opened: Promise<number>;
}

/** @param onEvent told of each event: its number in the stream, and how long it was on its way. */
export function openStream(
  port: number,
  request: string,
  onEvent: (sequence: number, delayMs: number) => void = () => {},
): Stream {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let sentAtMs = 0;
  let isOpen = false;
  let rest = '';
  socket.on('connect', () => {
    sentAtMs = performance.now();
    socket.write(request);
  });
  socket.on('data', (bytes) => {
    const nowNs = process.hrtime.bigint();
    const text = rest + bytes.toString('latin1');
    if (!isOpen) {
      if (!text.startsWith('HTTP/1.1 200')) return void reject(new Error(`no stream: ${text.slice(0, 300)}`));
      isOpen = true;
      resolve(performance.now() - sentAtMs);
    }
    let read = 0;
    for (const match of text.matchAll(/"sequence":(\d+),"sentNs":"(\d+)"/g)) {
      onEvent(Number(match[1]), Number(nowNs - BigInt(match[2] ?? 0)) / 1e6);
      read = match.index + match[0].length;
    }
    // An event may come in two pieces.
    rest = text.slice(Math.max(read, text.length - 200));
  });
  socket.on('error', reject).on('close', () => reject(new Error('the stream was closed')));
  promise.catch(() => {});
  return { socket, opened: promise };
}
