/** An answer on a bare socket, as Node's own server would write it. */
import { type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { asBuffer } from '@valetkey/core/base/bytes';
import {
  checkValue,
  type FindName,
  type HeaderBlock,
  type HeaderValue,
  writeHeader,
} from './header-block.ts';

/** What of Node's response the way of an MCP request uses. */
type Used = Pick<
  ServerResponse,
  | 'statusCode'
  | 'shouldKeepAlive'
  | 'headersSent'
  | 'getHeader'
  | 'getHeaderNames'
  | 'hasHeader'
  | 'removeHeader'
  | 'flushHeaders'
>;

export interface ResponseOwner {
  readonly socket: Socket;
  readonly keepAliveSeconds: number;
  date(): string;
  /** For the names of headers: `createHeaderNames`. */
  readonly findName: FindName;
  readonly findBlock: (headers: OutgoingHttpHeaders) => HeaderBlock | undefined;
  /** The last byte has been handed over. */
  onEnded(response: FastResponse): void;
  /** It was broken off: what has been sent must not look like the whole. */
  onBroken(): void;
  /** Calls back when the client has taken what was written; one that takes nothing at all is not waited for without end. */
  whenTaken(done: () => void): void;
  /** Calls `sendWhole` together with the other answers that are ready. */
  gather(response: FastResponse): void;
}

const lastChunk = '0\r\n\r\n';

export class FastResponse extends Writable implements Used {
  statusCode = 200;
  shouldKeepAlive = true;
  headersSent = false;
  readonly #owner: ResponseOwner;
  /** A dozen at most: looking through a list costs less than to make a map. In small letters, as written, and the values. */
  readonly #names: string[] = [];
  readonly #written: string[] = [];
  readonly #values: HeaderValue[] = [];
  /** Behind them, and none of them twice. */
  #block: HeaderBlock | undefined;
  #isHeadOut = false;
  #isChunked = false;
  #hasBody = true;
  #isOver = false;
  /** What `end` was given, with the head before it. */
  #whole: string | undefined;
  #isSent = false;

  static {
    const { prototype } = Writable;
    const { prototype: own } = FastResponse;
    // They are accessors, though the types call them properties.
    Object.defineProperties(own, {
      writableEnded: {
        get(this: FastResponse): boolean {
          return this.#whole !== undefined || Reflect.get(prototype, 'writableEnded', this);
        },
      },
      writableFinished: {
        get(this: FastResponse): boolean {
          return this.#isSent || Reflect.get(prototype, 'writableFinished', this);
        },
      },
    });
  }

  constructor(owner: ResponseOwner) {
    super({ decodeStrings: false });
    this.#owner = owner;
  }

  get socket(): Socket {
    return this.#owner.socket;
  }

  setHeader(written: string, value: HeaderValue): this {
    if (this.headersSent) throw new Error('the head has been sent');
    const name = this.#owner.findName(written);
    if (name === undefined) throw new TypeError('not a name of a header');
    checkValue(written, value);
    const known = this.#names.indexOf(name);
    const index = known === -1 ? this.#names.length : known;
    this.#names[index] = name;
    this.#written[index] = written;
    this.#values[index] = value;
    return this;
  }

  getHeader(name: string): number | string | string[] | undefined {
    const key = name.toLowerCase();
    const value = this.#values[this.#names.indexOf(key)] ?? this.#block?.values.get(key);
    return value as number | string | string[] | undefined;
  }

  getHeaderNames(): string[] {
    return [...this.#names, ...(this.#block?.values.keys() ?? [])];
  }

  hasHeader(name: string): boolean {
    const key = name.toLowerCase();
    return this.#names.includes(key) || this.#block?.values.has(key) === true;
  }

  removeHeader(name: string): void {
    if (this.headersSent) throw new Error('the head has been sent');
    const index = this.#names.indexOf(name.toLowerCase());
    if (index !== -1) for (const each of [this.#names, this.#written, this.#values]) each.splice(index, 1);
  }

  writeHead(status: number, headers: OutgoingHttpHeaders = {}): this {
    if (this.headersSent) throw new Error('the head has been sent');
    const block = this.#owner.findBlock(headers);
    if (block !== undefined && !this.#names.some((name) => block.values.has(name))) this.#block = block;
    else {
      for (const name of Object.keys(headers)) {
        const value = headers[name];
        if (value !== undefined) this.setHeader(name, value);
      }
    }
    this.statusCode = status;
    this.headersSent = true;
    return this;
  }

  flushHeaders(): void {
    if (this.#isHeadOut || this.destroyed) return;
    this.#owner.socket.write(this.#takeHead(undefined), 'latin1');
  }

  /** A body that is all here goes out with the head, in one piece and with the answers to others. */
  override end(chunk?: unknown, encoding?: unknown, done?: unknown): this {
    if (this.#whole !== undefined) return this;
    if (this.#isHeadOut || this.destroyed || this.writableEnded || typeof chunk === 'function')
      return super.end(chunk as never, encoding as never, done as never);
    const body =
      chunk === undefined
        ? ''
        : asLatin1(chunk as string | Uint8Array, encoding as BufferEncoding | undefined);
    // As with Node, a head that was written before does not say how long the body is.
    const head = this.#takeHead(this.headersSent ? undefined : body.length);
    this.#whole = head + this.#frame(body);
    if (typeof done === 'function') this.once('finish', done as () => void);
    this.#owner.gather(this);
    return this;
  }

  /** Does at once what a stream does step by step at its end, since nothing of it has been given to the stream. */
  sendWhole(): void {
    const whole = this.#whole;
    if (whole === undefined || this.destroyed) return;
    this.#isOver = true;
    this.#isSent = true;
    this.#owner.socket.write(whole, 'latin1');
    this.emit('finish');
    this.destroy();
    this.#owner.onEnded(this);
  }

  override _write(
    chunk: string | Uint8Array,
    encoding: BufferEncoding,
    done: (fault?: Error | null) => void,
  ): void {
    if (this.#whole !== undefined) return done(new Error('write after end'));
    const { socket } = this.#owner;
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    socket.cork();
    if (!this.#isHeadOut) socket.write(this.#takeHead(undefined), 'latin1');
    let isTaken = true;
    if (this.#hasBody && bytes.length > 0) {
      if (this.#isChunked) socket.write(`${bytes.length.toString(16)}\r\n`, 'latin1');
      isTaken = socket.write(bytes);
      if (this.#isChunked) isTaken = socket.write('\r\n', 'latin1');
    }
    socket.uncork();
    if (isTaken) done();
    else this.#owner.whenTaken(done);
  }

  override _final(done: (fault?: Error | null) => void): void {
    if (!this.#isOver && this.#isChunked && this.#hasBody) this.#owner.socket.write(lastChunk, 'latin1');
    this.#isOver = true;
    done();
    this.#owner.onEnded(this);
  }

  override _destroy(fault: Error | null, done: (fault: Error | null) => void): void {
    if (!this.#isOver) this.#owner.onBroken();
    this.#isOver = true;
    done(fault);
  }

  #frame(body: string): string {
    if (!this.#hasBody) return '';
    if (!this.#isChunked) return body;
    return body === '' ? lastChunk : `${body.length.toString(16)}\r\n${body}\r\n${lastChunk}`;
  }

  /** @param wholeBytes of the body where all of it is known; undefined: it comes in pieces. */
  #takeHead(wholeBytes: number | undefined): string {
    const { statusCode } = this;
    this.headersSent = true;
    this.#isHeadOut = true;
    this.#hasBody = statusCode !== 204 && statusCode !== 304;
    let head = `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode] ?? 'unknown'}\r\n`;
    for (let index = 0; index < this.#written.length; index += 1) {
      head += writeHeader(this.#written[index] as string, this.#values[index] as HeaderValue);
    }
    if (this.#block !== undefined) head += this.#block.lines;
    if (!this.hasHeader('date')) head += `Date: ${this.#owner.date()}\r\n`;
    head += this.shouldKeepAlive
      ? `Connection: keep-alive\r\nKeep-Alive: timeout=${this.#owner.keepAliveSeconds}\r\n`
      : 'Connection: close\r\n';
    if (this.#hasBody && !this.hasHeader('content-length')) {
      this.#isChunked = wholeBytes === undefined;
      head +=
        wholeBytes === undefined ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${wholeBytes}\r\n`;
    }
    return `${head}\r\n`;
  }
}

function asLatin1(chunk: string | Uint8Array, encoding: BufferEncoding = 'utf8'): string {
  if (typeof chunk === 'string' && encoding === 'latin1') return chunk;
  const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : asBuffer(chunk);
  return bytes.toString('latin1');
}
