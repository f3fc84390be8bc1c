/**
 * Room `fast-path`: calls of MCP clients without Node's HTTP parser and its streams, which take more time than all that
 * the gateway does for a call. Knows sockets and one shape of a request; what a request may do is decided by the listener
 * of the server, as for every other. A connection that brings anything else is Node's from its first such byte on.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { createGathered } from '../http/gathered.ts';
import { createHeaderNames } from '../http/header-names.ts';
import { FastConnection, type FastServer } from './fast-connection.ts';
import { createHeaderBlocks } from './header-block.ts';
import { createHttpDate } from './http-date.ts';
import { createRequestReader } from './read-request.ts';

export interface FastPathOptions {
  /** Whether a path is that of an MCP endpoint. */
  readonly isServed: (path: string) => boolean;
  /** Silent for this long, a connection that has asked nothing yet becomes Node's, which ends it in its own time. */
  readonly firstRequestMs?: number;
  /** How long a client may read nothing of an answer that is out: then it gets no more. Default: five minutes. */
  readonly unreadMs?: number;
}

const sweepMs = 1000;

/**
 * Takes the connections of a server before it does itself. To be called before it listens; the server's own methods close
 * these connections too.
 */
export function openFastPath(server: Server, options: FastPathOptions): void {
  const { isServed, firstRequestMs = 2000, unreadMs = 5 * 60_000 } = options;
  const nodes = server.listeners('connection') as ((socket: Socket) => void)[];
  const all = new Set<FastConnection>();
  const handedOver = new Set<Socket>();
  const findName = createHeaderNames();
  const fast: FastServer = {
    server,
    keepAliveSeconds: Math.floor(server.keepAliveTimeout / 1000),
    unreadMs,
    date: createHttpDate(() => Date.now()),
    readRequest: createRequestReader(isServed),
    findName,
    findBlock: createHeaderBlocks(findName),
    answers: createGathered((response) => response.sendWhole()),
    onClosed: (connection) => void all.delete(connection),
    handOver(connection, socket) {
      all.delete(connection);
      handedOver.add(socket.once('close', () => void handedOver.delete(socket)));
      for (const listener of nodes) listener.call(server, socket);
    },
  };
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => void all.add(new FastConnection(socket, fast)));

  const sweeper = setInterval(() => {
    for (const connection of all)
      connection.sweep(sweepMs, { firstRequestMs, idleMs: server.keepAliveTimeout });
    for (const socket of handedOver) limitUnread(socket, unreadMs);
  }, sweepMs).unref();
  server.once('close', () => clearInterval(sweeper));

  const closeIdle = server.closeIdleConnections.bind(server);
  const closeAll = server.closeAllConnections.bind(server);
  server.closeIdleConnections = () => {
    closeIdle();
    for (const connection of all) connection.closeIfIdle();
  };
  server.closeAllConnections = () => {
    closeAll();
    for (const connection of all) connection.close();
  };
}

/** Node ends a connection that is idle, and waits without end for a client that takes nothing of its answer. */
function limitUnread(socket: Socket, unreadMs: number): void {
  // Any other time is Node's own.
  const isLimited = socket.timeout === unreadMs;
  if (socket.writableNeedDrain !== isLimited) socket.setTimeout(isLimited ? 0 : unreadMs);
}
