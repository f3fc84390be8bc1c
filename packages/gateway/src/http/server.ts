import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRoll } from '@valetkey/core/base/roll';

export interface ServerOptions {
  /** Time for a whole request to arrive, headers and body. */
  readonly requestTimeoutMs: number;
  /** Time for the headers to arrive; 10 s by default. */
  readonly headersTimeoutMs?: number;
  /** 16 KiB by default: enough for a bearer token with many claims, too little to hoard memory. */
  readonly maxHeaderBytes?: number;
  /** Time an idle connection is kept; 65 s by default, longer than the 60 s of common load balancers. */
  readonly keepAliveTimeoutMs?: number;
}

/** Answers still under way, so that closing can tell streams from ordinary answers. */
const openAnswers = new WeakMap<Server, Iterable<ServerResponse>>();

/** Builds the server; it does not listen yet. Slow or oversized requests get 408 or 431 from Node itself. */
export function createHttpServer(router: RequestListener, options: ServerOptions): Server {
  const answers = createRoll<ServerResponse>();
  const server = createServer(
    {
      requestTimeout: options.requestTimeoutMs,
      headersTimeout: Math.min(options.headersTimeoutMs ?? 10_000, options.requestTimeoutMs),
      keepAliveTimeout: options.keepAliveTimeoutMs ?? 65_000,
      maxHeaderSize: options.maxHeaderBytes ?? 16 * 1024,
      // How often Node looks for requests past their time; its default of 30 s would make a 5 s limit a 35 s one.
      connectionsCheckingInterval: 1000,
    },
    (req, res) => {
      res.on('close', answers.add(res));
      if (!server.listening) res.shouldKeepAlive = false;
      if (res.socket === null) breakOffInTurn(res);
      router(req, res);
    },
  );
  openAnswers.set(server, answers);
  const closeIdle = server.closeIdleConnections.bind(server);
  // To Node a connection is idle as soon as its answer is written, although it may not be read yet: it would break off.
  server.closeIdleConnections = () => {
    if (![...answers].some(isBeingRead)) closeIdle();
  };
  return server;
}

/**
 * Behind another answer of its connection one has no connection yet that its `destroy` could end. Node gives it one all the
 * same when its turn comes, and waits for it without end, reading nothing, so that it does not see the client leave either.
 */
function breakOffInTurn(res: ServerResponse): void {
  const assign = res.assignSocket.bind(res);
  res.assignSocket = (socket) => {
    // First: what was written before it was broken off must not go out any more.
    if (res.destroyed) socket.destroy();
    assign(socket);
  };
}

function isBeingRead({ writableEnded, writableFinished }: ServerResponse): boolean {
  return writableEnded && !writableFinished;
}

/**
 * @param port 0 for any free one.
 * @returns the port that was taken.
 * @throws the system's error, such as `EADDRINUSE`.
 */
export function listen(server: Server, host: string, port: number): Promise<{ readonly port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve({ port: (server.address() as AddressInfo).port });
    });
  });
}

/**
 * Stops accepting, lets answers under way end, then closes what is left. Event streams are cut at once: they would
 * never end by themselves, and their clients reconnect.
 *
 * @param timeoutMs time for ordinary answers; 3 s by default, so that a container's grace period suffices.
 */
export async function closeGracefully(server: Server, timeoutMs = 3000): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  for (const answer of openAnswers.get(server) ?? []) retire(answer);
  // A connection becomes idle when its last answer ends; Node closes idle ones only when told.
  const idle = setInterval(() => server.closeIdleConnections(), 25);
  const force = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await closed;
  clearInterval(idle);
  clearTimeout(force);
}

/** Node remembers the headers given to `writeHead` only after a `setHeader`: the router's `X-Request-Id` is that. */
function retire(answer: ServerResponse): void {
  const contentType = String(answer.getHeader('content-type') ?? '');
  if (answer.headersSent && contentType.startsWith('text/event-stream')) answer.destroy();
  else answer.shouldKeepAlive = false;
}
