import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Gathered } from '../http/gathered.ts';
import { FastRequest } from './fast-request.ts';
import { FastResponse, type ResponseOwner } from './fast-response.ts';
import type { ReadRequest } from './read-request.ts';

/** What all connections share. */
export interface FastServer {
  readonly server: Server;
  readonly keepAliveSeconds: number;
  readonly unreadMs: number;
  readonly readRequest: ReadRequest;
  readonly findName: ResponseOwner['findName'];
  readonly findBlock: ResponseOwner['findBlock'];
  readonly answers: Gathered<FastResponse>;
  date(): string;
  onClosed(connection: FastConnection): void;
  /** The socket is Node's from now on, with whatever is unread. */
  handOver(connection: FastConnection, socket: Socket): void;
}

export interface SweepLimits {
  readonly firstRequestMs: number;
  readonly idleMs: number;
}

/** One connection, with at most one request under way. */
export class FastConnection implements ResponseOwner {
  readonly socket: Socket;
  readonly #fast: FastServer;
  #response: FastResponse | undefined;
  /** What has come while an answer was under way. */
  #held: Buffer | undefined;
  #idleForMs = 0;
  #hasAsked = false;

  constructor(socket: Socket, fast: FastServer) {
    this.socket = socket;
    this.#fast = fast;
    socket
      .on('data', this.#onData)
      .on('end', this.#onEnd)
      .on('error', this.#onError)
      .on('close', this.#onClose);
  }

  get keepAliveSeconds(): number {
    return this.#fast.keepAliveSeconds;
  }

  get findName(): ResponseOwner['findName'] {
    return this.#fast.findName;
  }

  get findBlock(): ResponseOwner['findBlock'] {
    return this.#fast.findBlock;
  }

  date(): string {
    return this.#fast.date();
  }

  onEnded(response: FastResponse): void {
    const { socket } = this;
    if (!response.shouldKeepAlive) {
      // Not free: who reads the last answer slowly is not idle, and what comes behind it is not read (RFC 9112 §9.6).
      this.#held = undefined;
      socket.setTimeout(this.#fast.unreadMs, this.#onUnread).resume().destroySoon();
    } else if (socket.writableNeedDrain) {
      // Else who calls on and reads nothing would have all answers kept in memory, and who reads slowly be cut off as idle.
      this.whenTaken(this.#onFree);
    } else this.#onFree();
  }

  whenTaken(done: () => void): void {
    const { socket } = this;
    socket.setTimeout(this.#fast.unreadMs, this.#onUnread).once('drain', () => {
      socket.setTimeout(0, this.#onUnread);
      done();
    });
  }

  /** Nothing at all of the answer was taken for so long. */
  readonly #onUnread = (): void => {
    this.socket.destroy();
  };

  readonly #onFree = (): void => {
    this.#response = undefined;
    this.#idleForMs = 0;
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.socket.resume();
    this.#onData(held);
  };

  gather(response: FastResponse): void {
    this.#fast.answers.add(response);
  }

  onBroken(): void {
    this.socket.destroy();
  }

  closeIfIdle(): void {
    if (this.#response === undefined) this.socket.destroy();
  }

  close(): void {
    this.socket.destroy();
  }

  sweep(passedMs: number, { firstRequestMs, idleMs }: SweepLimits): void {
    if (this.#response !== undefined) return;
    this.#idleForMs += passedMs;
    if (!this.#hasAsked && this.#idleForMs >= firstRequestMs) this.#handOver();
    else if (this.#idleForMs >= idleMs) this.socket.destroy();
  }

  readonly #onData = (bytes: Buffer): void => {
    // Left unread, it would reset the connection at its end, and the client lose what it has not read by then.
    if (this.socket.writableEnded) return;
    if (this.#response !== undefined) {
      this.#held = this.#held === undefined ? bytes : Buffer.concat([this.#held, bytes]);
      this.socket.pause();
      return;
    }
    const message = this.#fast.readRequest(bytes);
    if (message === undefined) {
      this.#handOver(bytes);
      return;
    }
    this.#hasAsked = true;
    const response = new FastResponse(this);
    this.#response = response;
    const request = new FastRequest(message, this.socket);
    // Both have what the way of an MCP request looks at, and `isServed` lets no other request come here.
    this.#fast.server.emit(
      'request',
      request as unknown as IncomingMessage,
      response as unknown as ServerResponse,
    );
  };

  #handOver(bytes?: Buffer): void {
    const { socket } = this;
    socket
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('error', this.#onError)
      .off('close', this.#onClose);
    socket.pause();
    if (bytes !== undefined) socket.unshift(bytes);
    this.#fast.handOver(this, socket);
    process.nextTick(() => socket.resume());
  }

  /** The client has closed its side. As with Node: what is not answered by now, is not answered any more. */
  readonly #onEnd = (): void => {
    if (this.#response === undefined || this.#response.writableFinished) this.socket.end();
    else this.socket.destroy();
  };

  /** A connection that was reset: 'close' follows. */
  readonly #onError = (): void => {};

  readonly #onClose = (): void => {
    this.#fast.onClosed(this);
    this.#response?.destroy();
  };
}
