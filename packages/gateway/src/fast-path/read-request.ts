/**
 * Reads one narrow shape of a request, which nearly all calls of MCP clients have, and only where it can be read in one way.
 * What is not of this shape is left to Node's parser, unread: here nothing is refused.
 */
import { createHeaderNames } from '../http/header-names.ts';
import type { FastHead, FastMessage } from './fast-request.ts';
import { createKnownHeads, type Recognized, type Sample, skipDigits } from './known-heads.ts';

/** Longer heads are Node's to judge: it answers 431 beyond its own limit. */
const maxHeadBytes = 8192;
const maxHeaders = 48;
const minBytes = 60;

/** Every line ends in CR LF, and holds nothing but visible characters and blanks. */
const plainHead = /^(?:[\x20-\x7e]+\r\n)+$/;
/** At the start of a line: the first is the only one, or the head is not of the shape. */
const lengthHeader = /\r\ncontent-length: /i;
const maxDigits = 7;
const plainName = /^[a-z][a-z0-9-]{0,63}$/;

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
export type ReadRequest = (bytes: Buffer) => FastMessage | undefined;

type FindName = (written: string) => string | undefined;

/** @param isServed whether a path is that of an MCP endpoint: exact, without a query. */
export function createRequestReader(isServed: (path: string) => boolean): ReadRequest {
  const findName = createHeaderNames((name) => plainName.test(name) && !notHere.has(name));
  const known = createKnownHeads();

  /** @param bytes to the blank line that ends the head. */
  function recognize(bytes: Buffer): Recognized | undefined {
    const found = known.find(bytes);
    if (found !== undefined) return found;
    const sample = readSample(bytes, findName);
    if (sample === undefined) return undefined;
    if (known.isSeen(bytes)) known.keep(keepsakeOf(sample));
    return { sample, restAt: sample.restAt };
  }

  return (bytes) => {
    if (bytes.length < minBytes || bytes[0] !== 0x50 || bytes[1] !== 0x4f) return undefined;
    const end = bytes.indexOf('\r\n\r\n', 0, 'latin1');
    if (end === -1 || end > maxHeadBytes) return undefined;
    const bodyAt = end + 4;
    const recognized = recognize(bytes.subarray(0, bodyAt));
    if (recognized === undefined) return undefined;
    const { sample, restAt } = recognized;
    const length = readLength(bytes, sample.lengthAt, restAt);
    if (length === undefined || bytes.length !== bodyAt + length || !isServed(sample.head.url))
      return undefined;
    return { head: sample.head, body: bytes.subarray(bodyAt) };
  };
}

/** It lasts: its bytes are its own, and nobody may change what requests to come will share. */
function keepsakeOf(sample: Sample): Sample {
  Object.freeze(sample.head.rawHeaders);
  Object.freeze(sample.head.headers);
  // Not from Node's pool: a few bytes of it keep all that they lie among, 64 KiB.
  const bytes = Buffer.allocUnsafeSlow(sample.bytes.length);
  bytes.set(sample.bytes);
  return { ...sample, bytes };
}

function readSample(bytes: Buffer, findName: FindName): Sample | undefined {
  const text = bytes.toString('latin1', 0, bytes.length - 2);
  const length = lengthHeader.exec(text);
  if (length === null) return undefined;
  const lengthAt = length.index + length[0].length;
  const restAt = skipDigits(bytes, lengthAt);
  const head = readHead(text.slice(0, lengthAt) + text.slice(restAt), findName);
  return head && { bytes, lengthAt, restAt, head };
}

/** A nought in front is read by some as a number to the base of eight. */
function readLength(bytes: Buffer, from: number, to: number): number | undefined {
  const digits = to - from;
  if (digits === 0 || digits > maxDigits || (digits > 1 && bytes[from] === 0x30)) return undefined;
  let length = 0;
  for (let at = from; at < to; at += 1) length = length * 10 + (bytes[at] as number) - 0x30;
  return length;
}

/** @param text without the digits of the length. */
function readHead(text: string, findName: FindName): FastHead | undefined {
  if (!plainHead.test(text)) return undefined;
  const lineEnd = text.indexOf('\r\n');
  const url = readRequestLine(text, lineEnd);
  const read = url === undefined ? undefined : readHeaders(text, lineEnd + 2, findName);
  if (url === undefined || read === undefined) return undefined;
  const { host, connection } = read.headers;
  if (host === undefined || (connection !== undefined && connection !== 'keep-alive')) return undefined;
  return { url, ...read };
}

function readRequestLine(text: string, end: number): string | undefined {
  if (!text.startsWith('POST /') || !text.startsWith(' HTTP/1.1', end - 9)) return undefined;
  const url = text.slice(5, end - 9);
  return url.includes(' ') ? undefined : url;
}

/** All but the length, of which there must be just one. */
function readHeaders(
  text: string,
  from: number,
  findName: FindName,
): Pick<FastHead, 'rawHeaders' | 'headers'> | undefined {
  const rawHeaders: string[] = [];
  const headers: Record<string, string> = {};
  let lengths = 0;
  let start = from;
  while (start < text.length) {
    const end = text.indexOf('\r\n', start);
    const colon = text.indexOf(':', start);
    if (colon === -1 || colon >= end) return undefined;
    const written = text.slice(start, colon);
    const name = findName(written);
    if (name === undefined || headers[name] !== undefined) return undefined;
    const valueStart = text.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1;
    start = end + 2;
    if (name === 'content-length') {
      lengths += 1;
      // Its digits have been taken out; another one still has its own.
      if (valueStart !== end) return undefined;
      continue;
    }
    // White space around a value is trimmed by some, and an empty value is absent for some.
    if (valueStart >= end || text.charCodeAt(valueStart) === 0x20 || text.charCodeAt(end - 1) === 0x20)
      return undefined;
    const value = text.slice(valueStart, end);
    rawHeaders.push(written, value);
    headers[name] = value;
  }
  if (lengths !== 1 || rawHeaders.length / 2 + lengths > maxHeaders) return undefined;
  return { rawHeaders, headers };
}
