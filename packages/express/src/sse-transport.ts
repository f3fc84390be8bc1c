import type { ServerResponse } from 'node:http';

/** `Transport` of the SDK, of either major version: the server's side of one event stream. */
export interface SseTransport {
  readonly sessionId: string;
  onmessage?: (message: unknown, extra?: unknown) => void;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  /** Sends the head and where messages go. */
  start(): Promise<void>;
  send(message: unknown): Promise<void>;
  close(): Promise<void>;
}

const keepAliveMs = 15_000;

export function createSseTransport(
  res: ServerResponse,
  { id, endpoint }: { readonly id: string; readonly endpoint: string },
): SseTransport {
  const transport: SseTransport = {
    sessionId: id,
    async start() {
      res.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      res.write(`event: endpoint\ndata: ${endpoint}\n\n`);
      const comments = setInterval(() => {
        if (!res.writableEnded) res.write(': keep-alive\n\n');
      }, keepAliveMs).unref();
      res.once('close', () => {
        clearInterval(comments);
        transport.onclose?.();
      });
    },
    async send(message) {
      if (res.destroyed || res.writableEnded) throw new Error('the stream has been closed');
      res.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
    },
    async close() {
      res.end();
    },
  };
  return transport;
}
