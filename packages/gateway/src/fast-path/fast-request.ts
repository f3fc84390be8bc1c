import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastHead } from './read-request.ts';

/** What of Node's request the way of an MCP request looks at. */
type Seen = Pick<
  IncomingMessage,
  | 'method'
  | 'url'
  | 'httpVersion'
  | 'rawHeaders'
  | 'headers'
  | 'headersDistinct'
  | 'socket'
  | 'complete'
  | 'destroyed'
>;

/** A request that has been read whole. It is no stream: its body is at hand. */
export class FastRequest implements Seen {
  readonly method = 'POST';
  readonly httpVersion = '1.1';
  readonly complete = true;
  readonly destroyed = false;
  readonly url: string;
  readonly rawHeaders: string[];
  readonly headers: Record<string, string>;
  readonly socket: Socket;
  readonly wholeBody: Uint8Array;

  constructor(head: FastHead, socket: Socket) {
    this.url = head.url;
    this.rawHeaders = head.rawHeaders;
    this.headers = head.headers;
    this.wholeBody = head.body;
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
