/**
 * A request to a backend whose answer comes back to the gateway itself. It goes the way of every other, through a
 * connection that never leaves this process: what that way checks, adds and takes away holds here too, and so does how
 * it streams.
 */
import { createServer, type IncomingMessage, request as httpRequest, type RequestListener } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import type { Exchange } from '../../http/exchange.ts';
import type { BackendFault, BackendProxy, ForwardRequest } from '../backend-proxy.ts';

export interface InnerCall {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** For the id and the address of the client, and for the headers that go on. */
  readonly exchange: Exchange;
  readonly request: ForwardRequest;
  /** In place of the client's, by name in small letters; undefined: dropped. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Ends the call, as a client that goes away does. */
  readonly signal: AbortSignal;
}

export type InnerAnswer =
  | { readonly kind: 'fault'; readonly fault: BackendFault }
  | { readonly kind: 'answer'; readonly answer: IncomingMessage };

/** Of the connection that the client has, and of the body, which goes beside the headers. */
const ofTheOuter: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'expect',
  'upgrade',
]);

/** Those of a client that are as long as the server takes, and ours. */
const maxHeaderBytes = 64 * 1024;

export interface InnerCalls {
  call(call: InnerCall): Promise<InnerAnswer>;
}

export function createInnerCalls(proxy: BackendProxy): InnerCalls {
  const listeners = new WeakMap<Duplex, RequestListener>();
  const server = createServer({ requireHostHeader: false, maxHeaderSize: maxHeaderBytes }, (req, res) =>
    listeners.get(req.socket)?.(req, res),
  );

  return {
    call: (call) =>
      new Promise((resolve) => {
        const [here, there] = duplexPair();
        const { exchange, request, method, signal } = call;
        listeners.set(there, (req, res) => {
          res.on('error', () => {});
          void forward({ ...exchange, method, req, res });
        });
        const forward = async (inner: Exchange) => {
          const forwarded = await proxy.forward(inner, request).catch(() => undefined);
          if (forwarded?.ok === true) return;
          resolve({ kind: 'fault', fault: forwarded?.error ?? 'unreachable' });
          leave();
        };
        server.emit('connection', there);
        const sent = httpRequest({ createConnection: () => here, method, headers: headersOf(call) });
        const leave = () => {
          sent.destroy();
          here.destroy();
          there.destroy();
        };
        sent.on('response', (answer) => {
          answer.once('close', leave);
          resolve({ kind: 'answer', answer });
        });
        sent.on('error', () => resolve({ kind: 'fault', fault: 'client_gone' }));
        if (signal.aborted) leave();
        signal.addEventListener('abort', leave, { once: true });
        sent.once('close', () => signal.removeEventListener('abort', leave));
        sent.end();
      }),
  };
}

function headersOf({ exchange, headers }: InnerCall): string[] {
  const { rawHeaders } = exchange.req;
  const kept: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const folded = name.toLowerCase();
    if (!ofTheOuter.has(folded) && !Object.hasOwn(headers, folded))
      kept.push(name, rawHeaders[index + 1] ?? '');
  }
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) kept.push(name, value);
  return kept;
}
