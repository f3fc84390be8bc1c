/**
 * Reads one narrow shape of a request, which nearly all calls of MCP clients have, and only where it can be read in one way.
 * What is not of this shape is left to Node's parser, unread: here nothing is refused.
 */
import { createHeaderNames } from '../http/header-names.ts';

export interface FastHead {
  readonly url: string;
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: string[];
  /** Names in small letters; each was sent once. */
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** Longer heads are Node's to judge: it answers 431 beyond its own limit. */
const maxHeadBytes = 8192;
const maxHeaders = 48;
const minBytes = 60;

/** Every line ends in CR LF, and holds nothing but visible characters and blanks. */
const plainHead = /^(?:[\x20-\x7e]+\r\n)+$/;
const plainName = /^[a-z][a-z0-9-]{0,63}$/;
const plainLength = /^(?:0|[1-9]\d{0,6})$/;

/** They say how the message is framed or what becomes of the connection: Node knows how to deal with that. */
const notHere: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'expect',
  'upgrade',
  'te',
  'trailer',
  'keep-alive',
  'proxy-connection',
  'http2-settings',
]);

/** @returns the request, where these bytes are exactly one of the shape. */
export type ReadRequest = (bytes: Buffer) => FastHead | undefined;

/** @param isServed whether a path is that of an MCP endpoint: exact, without a query. */
export function createRequestReader(isServed: (path: string) => boolean): ReadRequest {
  const findName = createHeaderNames((name) => plainName.test(name) && !notHere.has(name));
  return (bytes) => {
    if (bytes.length < minBytes || bytes[0] !== 0x50 || bytes[1] !== 0x4f) return undefined;
    const end = bytes.indexOf('\r\n\r\n', 0, 'latin1');
    if (end === -1 || end > maxHeadBytes) return undefined;
    const text = bytes.toString('latin1', 0, end + 2);
    if (!plainHead.test(text)) return undefined;
    const lineEnd = text.indexOf('\r\n');
    const url = readRequestLine(text, lineEnd);
    if (url === undefined || !isServed(url)) return undefined;
    const head = readHeaders(text, lineEnd + 2, findName);
    if (head === undefined) return undefined;
    const { 'content-length': length, host, connection } = head.headers;
    if (length === undefined || host === undefined || !plainLength.test(length)) return undefined;
    if (connection !== undefined && connection !== 'keep-alive') return undefined;
    if (bytes.length !== end + 4 + Number(length)) return undefined;
    return { url, ...head, body: bytes.subarray(end + 4) };
  };
}

function readRequestLine(text: string, end: number): string | undefined {
  if (!text.startsWith('POST /') || !text.startsWith(' HTTP/1.1', end - 9)) return undefined;
  const url = text.slice(5, end - 9);
  return url.includes(' ') ? undefined : url;
}

function readHeaders(
  text: string,
  from: number,
  findName: (written: string) => string | undefined,
): Pick<FastHead, 'rawHeaders' | 'headers'> | undefined {
  const rawHeaders: string[] = [];
  const headers: Record<string, string> = {};
  let start = from;
  while (start < text.length) {
    const end = text.indexOf('\r\n', start);
    const colon = text.indexOf(':', start);
    if (colon === -1 || colon >= end) return undefined;
    const written = text.slice(start, colon);
    const name = findName(written);
    if (name === undefined || headers[name] !== undefined) return undefined;
    const valueStart = text.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1;
    // White space around a value is trimmed by some, and an empty value is absent for some.
    if (valueStart >= end || text.charCodeAt(valueStart) === 0x20 || text.charCodeAt(end - 1) === 0x20)
      return undefined;
    const value = text.slice(valueStart, end);
    rawHeaders.push(written, value);
    headers[name] = value;
    start = end + 2;
  }
  return rawHeaders.length > 2 * maxHeaders ? undefined : { rawHeaders, headers };
}
