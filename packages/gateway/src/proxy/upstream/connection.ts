/**
 * One connection to a backend, with at most one request on it. Bytes come in one buffer that all connections share, since
 * each is read at once: an idle stream holds no buffer of its own.
 */
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { AnswerHead, ParseHead } from './answer-head.ts';
import { type BodyState, readBody, readHead, startBody } from './answer-reader.ts';
import { BadAnswer } from './bad-answer.ts';
import { type Answer, type AnswerHeaders, type Asking, UpstreamFault } from './upstream.ts';

export interface ConnectionOwner {
  /** The answer has come whole, and another request may be sent. */
  onFree(connection: Connection, headers: AnswerHeaders): void;
  onClosed(connection: Connection): void;
  /** Calls `write` together with that of other connections. */
  gather(connection: Connection): void;
}

export interface ConnectTo {
  readonly host: string;
  readonly port: number;
  readonly connectMs: number;
  /** Read into by every connection, and emptied before the next one reads. */
  readonly buffer: Buffer;
  readonly parseHead: ParseHead;
}

interface Waiting {
  resolve(answer: Answer): void;
  reject(fault: UpstreamFault): void;
}

export class Connection {
  /** For the pool: the moment after which it is too old to be used again. */
  usableUntilMs = 0;
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #parseHead: ParseHead;
  #waiting: Waiting | undefined;
  /** What has come of a head that is not complete yet. */
  #head: Buffer | undefined;
  #state: BodyState | undefined;
  #body: AnswerBody | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerMs = 0;
  #isClosed = false;
  /** Odd while a request is under way. */
  #turn = 0;
  #parts: readonly Uint8Array[] = [];

  constructor(to: ConnectTo, owner: ConnectionOwner) {
    this.#owner = owner;
    const { host, port, buffer } = to;
    this.#parseHead = to.parseHead;
    const callback = (size: number) => this.#read(buffer.subarray(0, size));
    this.#socket = connect({ host, port, noDelay: true, onread: { buffer, callback } });
    const timer = setTimeout(() => this.#end('connect_timeout'), to.connectMs);
    this.#socket
      .once('connect', () => clearTimeout(timer))
      .on('error', (fault: Error & { code?: string }) => this.#end(fault.code ?? 'unknown'))
      .on('end', () => this.#endOfStream())
      .on('close', () => {
        clearTimeout(timer);
        this.#end('closed_early');
      });
  }

  /** @param firstByteMs counts from now, so that it holds for connecting too. */
  send(parts: readonly Uint8Array[], firstByteMs: number): Asking {
    const turn = (this.#turn += 1);
    this.#parts = parts;
    this.#owner.gather(this);
    this.#startTimer(firstByteMs);
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    return {
      answer,
      giveUp: () => {
        // Later the connection may be about somebody else's request.
        if (turn === this.#turn) this.#end('gave_up');
      },
    };
  }

  /** Writes what `send` was given. */
  write(): void {
    const [head, body] = this.#parts;
    this.#parts = [];
    if (this.#isClosed || head === undefined) return;
    if (body === undefined) {
      this.#socket.write(head);
      return;
    }
    this.#socket.cork();
    this.#socket.write(head);
    this.#socket.write(body);
    this.#socket.uncork();
  }

  close(code: string): void {
    this.#end(code);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** One timer for all requests of the connection, started anew for each: making one costs more than to do so. */
  #startTimer(ms: number): void {
    if (this.#timer !== undefined && this.#timerMs === ms) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#timerMs = ms;
    this.#timer = setTimeout(() => {
      if (this.#waiting !== undefined) this.#end('timeout');
    }, ms).unref();
  }

  /** @returns whether to go on reading. */
  #read(bytes: Buffer): boolean {
    try {
      if (this.#waiting !== undefined) this.#readHead(bytes);
      else if (this.#state !== undefined) this.#readOn(bytes, 0);
      // Nothing was asked: whose answer would that be?
      else this.#end('bad_answer');
    } catch (fault) {
      if (!(fault instanceof BadAnswer)) throw fault;
      this.#end('bad_answer');
    }
    return this.#body?.isHeldBack !== true;
  }

  #readHead(bytes: Buffer): void {
    const all = this.#head === undefined ? bytes : Buffer.concat([this.#head, bytes]);
    const found = readHead(all, this.#parseHead);
    if (found === undefined) {
      this.#head = this.#head === undefined ? Buffer.from(all) : all;
      return;
    }
    this.#head = undefined;
    const state = startBody(found.head);
    const parts: Buffer[] = [];
    // Before the answer is told of: a body that is all here needs no stream.
    const end = readBody(state, all, found.end, (part) => parts.push(part));
    if (state.isOver && end < all.length) throw new BadAnswer('more than one answer');
    const waiting = this.#waiting;
    this.#waiting = undefined;
    const bytesSoFar = copyOf(parts);
    if (state.isOver) {
      this.#free(found.head);
      waiting?.resolve(new WholeAnswer(found.head, bytesSoFar));
      return;
    }
    this.#state = state;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const body = new AnswerBody(this.#socket, () => this.#end('gave_up'));
    this.#body = body;
    if (bytesSoFar.length > 0) body.add(bytesSoFar);
    const { statusCode, headers } = found.head;
    waiting?.resolve({ statusCode, headers, whole: undefined, body });
  }

  #readOn(bytes: Buffer, start: number): void {
    const state = this.#state as BodyState;
    const body = this.#body as AnswerBody;
    const parts: Buffer[] = [];
    const end = readBody(state, bytes, start, (part) => parts.push(part));
    if (parts.length > 0) body.add(copyOf(parts));
    if (!state.isOver) return;
    if (end < bytes.length) throw new BadAnswer('more than one answer');
    this.#state = undefined;
    this.#body = undefined;
    body.finish();
    this.#free(state.head);
  }

  #free(head: AnswerHead): void {
    this.#turn += 1;
    if (head.keepsOpen) this.#owner.onFree(this, head.headers);
    else this.#end('closed');
  }

  /** For some answers the end of the connection is their end. */
  #endOfStream(): void {
    if (this.#state?.head.length === 'until_close') {
      const body = this.#body;
      this.#state = undefined;
      this.#body = undefined;
      body?.finish();
    }
    this.#end('closed_early');
  }

  #end(code: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    const waiting = this.#waiting;
    const body = this.#body;
    this.#waiting = undefined;
    this.#body = undefined;
    this.#state = undefined;
    this.#owner.onClosed(this);
    waiting?.reject(new UpstreamFault(code));
    body?.break(new UpstreamFault(code));
  }
}

/** A body that has not come whole, with the backend held back while nobody reads. */
class AnswerBody extends Readable {
  isHeldBack = false;
  readonly #socket: Socket;
  readonly #giveUp: () => void;
  #isFinished = false;

  constructor(socket: Socket, giveUp: () => void) {
    super({ highWaterMark: 64 * 1024 });
    this.#socket = socket;
    this.#giveUp = giveUp;
    // It can break before anybody reads it, while the store or Entra is asked: without a listener that ends the process.
    this.on('error', () => {});
  }

  add(bytes: Buffer): void {
    if (!this.push(bytes)) this.isHeldBack = true;
  }

  finish(): void {
    this.#isFinished = true;
    this.push(null);
  }

  break(fault: Error): void {
    this.#isFinished = true;
    this.destroy(fault);
  }

  override _read(): void {
    if (!this.isHeldBack) return;
    this.isHeldBack = false;
    this.#socket.resume();
  }

  override _destroy(fault: Error | null, done: (fault: Error | null) => void): void {
    // Destroyed from outside while it streams: nobody wants the rest.
    if (!this.#isFinished) {
      this.#isFinished = true;
      this.#giveUp();
    }
    done(fault);
  }
}

class WholeAnswer implements Answer {
  readonly statusCode: number;
  readonly headers: AnswerHeaders;
  readonly whole: Buffer;
  #body: Readable | undefined;

  constructor({ statusCode, headers }: AnswerHead, whole: Buffer) {
    this.statusCode = statusCode;
    this.headers = headers;
    this.whole = whole;
  }

  get body(): Readable {
    return (this.#body ??= Readable.from([this.whole], { objectMode: false }));
  }
}

/** The parts lie in the shared buffer, which the next read overwrites. */
function copyOf(parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  if (only === undefined) return Buffer.alloc(0);
  return parts.length === 1 ? Buffer.from(only) : Buffer.concat(parts);
}
