/** Every HTTP exchange that this process takes part in as a client: the gateway with Entra, a test with the gateway. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';

/** One request and its answer, whoever sent it in this process: the gateway to Entra, or the test to the gateway. */
export interface Noted {
  readonly origin: string;
  readonly path: string;
  /** The body, where it was a text; `fetch` sends a stream. */
  readonly sent: string;
  status: number;
  headers: string;
  body: string;
}

export interface Wire {
  noted(): Noted[];
  stop(): void;
}

interface UndiciRequest {
  readonly origin: string | URL;
  readonly path: string;
  readonly body: unknown;
}

export function tapWire(): Wire {
  const noted = new Map<object, Noted>();
  const listeners: Record<string, (message: unknown) => void> = {
    'undici:request:create': (message) => {
      const { request } = message as { request: UndiciRequest };
      const sent = typeof request.body === 'string' ? request.body : '';
      const origin = String(request.origin);
      noted.set(request, { origin, path: request.path, sent, status: 0, headers: '', body: '' });
    },
    'undici:request:headers': (message) => {
      const { request, response } = message as {
        request: object;
        response: { statusCode: number; headers: Buffer[] };
      };
      const entry = noted.get(request);
      if (entry === undefined) return;
      entry.status = response.statusCode;
      entry.headers = response.headers
        .map((part, index) => String(part) + (index % 2 === 0 ? ': ' : '\n'))
        .join('');
    },
    'undici:request:bodyChunkReceived': (message) => {
      const { request, chunk } = message as { request: object; chunk: Buffer };
      const entry = noted.get(request);
      if (entry !== undefined) entry.body += chunk.toString('latin1');
    },
  };
  for (const [name, listener] of Object.entries(listeners)) subscribe(name, listener);
  return {
    noted: () => [...noted.values()],
    stop() {
      for (const [name, listener] of Object.entries(listeners)) unsubscribe(name, listener);
    },
  };
}
