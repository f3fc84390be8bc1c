import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/**
 * A head without its `Content-Length`. One that comes again is frozen, and shared by all requests that have it: what was made
 * of it once need not be made again (`createDerived`).
 */
export interface FastHead {
  readonly url: string;
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: readonly string[];
  /** Names in small letters; each was sent once. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface FastMessage {
  readonly head: FastHead;
  readonly body: Buffer;
}

/** What of Node's request the way of an MCP request looks at. */
type Seen = Pick<
  IncomingMessage,
  'method' | 'url' | 'httpVersion' | 'headersDistinct' | 'socket' | 'complete' | 'destroyed'
>;

/** A request that has been read whole. It is no stream: its body is at hand, and `Content-Length` says nothing more. */
export class FastRequest implements Seen {
  readonly method = 'POST';
  readonly httpVersion = '1.1';
  readonly complete = true;
  readonly destroyed = false;
  readonly url: string;
  /** These two may be those of many requests: see `FastHead`. */
  readonly rawHeaders: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly socket: Socket;
  readonly wholeBody: Uint8Array;

  constructor({ head, body }: FastMessage, socket: Socket) {
    this.url = head.url;
    this.rawHeaders = head.rawHeaders;
    this.headers = head.headers;
    this.wholeBody = body;
    this.socket = socket;
  }

  get headersDistinct(): Record<string, string[]> {
    return Object.fromEntries(Object.entries(this.headers).map(([name, value]) => [name, [value]]));
  }

  /** There is nothing left to read, so nothing to wait for. */
  resume(): this {
    return this;
  }

  on(): this {
    return this;
  }

  once(): this {
    return this;
  }

  off(): this {
    return this;
  }
}
