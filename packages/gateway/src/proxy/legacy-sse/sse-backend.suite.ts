/** For tests: the way to a backend of revision 2024-11-05, with a front before it. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pino } from 'pino';
import type { BackendConfig } from '../../config/config.ts';
import { createTestClock, openSealedStore } from '../../session/sealed-store.suite.ts';
import { type BackendCredential, createFixedCredential } from '../credentials/backend-credential.ts';
import { backendAt, createSigningJwk, publicUrl, readText, startServer } from '../front-and-back.suite.ts';
import { createIdentitySigner } from '../identity.ts';
import { createKeepAlive } from '../keep-alive.ts';
import { describeFault, postMessage, startMessageFront } from '../messages/message-front.suite.ts';
import { createSseBackend } from './sse-backend.ts';

export async function startSseWorld(
  upstream: string,
  changes: Partial<BackendConfig> = {},
  credential: BackendCredential = createFixedCredential({ 'x-backend-key': 'backend-key' }),
) {
  const clock = createTestClock(Date.now());
  const logged: Record<string, unknown>[] = [];
  const log = pino(
    { level: 'debug' },
    { write: (line: string) => void logged.push(JSON.parse(line) as never) },
  );
  const works = new Set<() => void>();
  const timer = (work: () => void) => {
    works.add(work);
    return () => void works.delete(work);
  };
  const revoked = new Set<string>();
  const proxy = createSseBackend({
    backend: backendAt(upstream, { transport: 'sse', ...changes }),
    identity: createIdentitySigner({ issuer: publicUrl, signingJwk: createSigningJwk(), clock }),
    credential,
    store: openSealedStore(clock),
    random: (size) => randomBytes(size),
    isRevoked: (id) => revoked.has(id),
    keepAlive: createKeepAlive(15, timer),
    clock,
    timer,
    log,
    describeFault,
  });
  const front = await startMessageFront(proxy);
  const url = `${front.url}/snippets/mcp`;
  return {
    url,
    logged,
    ends: front.ends,
    revoked,
    /** What is done now and then is done once. */
    tick: () => works.forEach((work) => work()),
    post: (body: unknown, headers?: Record<string, string>) => postMessage(url, body, headers),
    async close() {
      await proxy.close();
      await front.close();
    },
  };
}

export interface LegacyServer {
  readonly url: string;
  /** Everything that arrived, in order. */
  readonly arrived: {
    readonly method: string;
    readonly url: string;
    readonly headers: IncomingMessage['headers'];
    readonly body: string;
  }[];
  /** The streams that are open. */
  readonly streams: ServerResponse[];
  say(message: object, stream?: number): void;
  close(): Promise<void>;
}

/**
 * A backend of revision 2024-11-05 by hand.
 *
 * @param endpoint what its first event names; default: an address of its own.
 * @param answer what becomes of a message; default: 202, and its echo on the stream.
 */
export async function startLegacyServer(
  options: {
    readonly endpoint?: (url: string) => string | undefined;
    readonly status?: (method: string, headers: IncomingMessage['headers']) => number;
  } = {},
): Promise<LegacyServer> {
  const { endpoint = () => '/message?sessionId=s1', status = () => 0 } = options;
  const arrived: LegacyServer['arrived'] = [];
  const streams: ServerResponse[] = [];
  const say = (message: object, stream = streams.length - 1) =>
    void streams[stream]?.write(
      `event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`,
    );
  const server = await startServer((req, res) => void answer(req, res));
  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = req;
    const body = await readText(req);
    arrived.push({ method, url, headers, body });
    const given = status(method, headers);
    if (given !== 0) return void res.writeHead(given).end();
    if (method === 'GET') {
      streams.push(res);
      res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      const address = endpoint(server.url);
      if (address !== undefined) res.write(`event: endpoint\ndata: ${address}\n\n`);
      return;
    }
    res.writeHead(202).end('Accepted');
    const message = JSON.parse(body) as { id?: unknown; method?: string; params?: object };
    if (message.id !== undefined && message.method !== undefined && message.method !== 'hold')
      say({ id: message.id, result: { echo: message } });
  }
  return { url: `${server.url}/sse`, arrived, streams, say, close: server.close };
}
