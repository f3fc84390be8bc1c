/**
 * Reads one answer of a backend (RFC 9112), strictly: where it could be read in two ways, or says its end in two ways, it
 * is refused, since what follows would be taken for the answer to the next person's request.
 */
import { BadAnswer } from './bad-answer.ts';
import { readChunks, type ChunkState, startChunks } from './chunked-body.ts';
import type { AnswerHeaders } from './upstream.ts';

export interface AnswerHead {
  readonly statusCode: number;
  readonly headers: AnswerHeaders;
  /** Whether the connection can be used again once the body has come. */
  readonly keepsOpen: boolean;
  /** Bytes of the body; `chunked`, or until the connection ends. */
  readonly length: number | 'chunked' | 'until_close';
}

export type FindName = (written: string) => string | undefined;

/** The body being read. */
export interface BodyState {
  readonly head: AnswerHead;
  left: number;
  readonly chunks: ChunkState | undefined;
  isOver: boolean;
}

const maxHeadBytes = 16 * 1024;
/** All interim answers together: they are kept until the answer has come. */
const maxInterimBytes = 64 * 1024;
const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const unsafeValue = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * @param bytes from the first byte of the answer.
 * @returns the head and where the body begins; undefined while it is not complete. Interim answers (RFC 9110 §15.2) are
 *   passed over.
 * @param findName for the names of its headers: `createHeaderNames`.
 * @throws BadAnswer
 */
export function readHead(
  bytes: Buffer,
  findName: FindName,
): { readonly head: AnswerHead; readonly end: number } | undefined {
  let start = 0;
  for (;;) {
    if (start > maxInterimBytes) throw new BadAnswer('too many interim answers');
    const end = bytes.indexOf('\r\n\r\n', start, 'latin1');
    if (end === -1) {
      if (bytes.length - start > maxHeadBytes) throw new BadAnswer('the head is too large');
      return undefined;
    }
    if (end - start > maxHeadBytes) throw new BadAnswer('the head is too large');
    const head = parseHead(bytes.toString('latin1', start, end), findName);
    start = end + 4;
    if (head.statusCode >= 200) return { head, end: start };
    if (head.statusCode === 101) throw new BadAnswer('switching protocols unasked');
  }
}

export function startBody(head: AnswerHead): BodyState {
  const { length } = head;
  return {
    head,
    left: typeof length === 'number' ? length : Number.POSITIVE_INFINITY,
    chunks: length === 'chunked' ? startChunks() : undefined,
    isOver: length === 0,
  };
}

/**
 * Takes what belongs to the body.
 *
 * @param take is given each part; it lies in `bytes`, so whoever keeps it copies it.
 * @returns where the body has ended or `bytes` have.
 * @throws BadAnswer
 */
export function readBody(
  state: BodyState,
  bytes: Buffer,
  start: number,
  take: (part: Buffer) => void,
): number {
  if (state.chunks !== undefined) {
    const end = readChunks(state.chunks, bytes, start, take);
    state.isOver = state.chunks.isOver;
    return end;
  }
  const end = Math.min(bytes.length, start + state.left);
  if (end > start) take(bytes.subarray(start, end));
  state.left -= end - start;
  state.isOver = state.left === 0;
  return end;
}

function parseHead(text: string, findName: FindName): AnswerHead {
  let at = text.indexOf('\r\n');
  const first = statusLine.exec(at === -1 ? text : text.slice(0, at));
  if (first === null) throw new BadAnswer('no status line');
  const headers: Record<string, string | string[]> = {};
  while (at !== -1) {
    const lineStart = at + 2;
    at = text.indexOf('\r\n', lineStart);
    addHeader(headers, at === -1 ? text.slice(lineStart) : text.slice(lineStart, at), findName);
  }
  const statusCode = Number(first[2]);
  return { statusCode, headers, ...framingOf(statusCode, first[1] === '1', headers) };
}

function addHeader(headers: Record<string, string | string[]>, line: string, findName: FindName): void {
  const colon = line.indexOf(':');
  // A line that begins with white space continues the one before (obs-fold), for some readers.
  const key = colon < 1 ? undefined : findName(line.slice(0, colon));
  if (key === undefined) throw new BadAnswer('no header line');
  const value = withoutBlanks(line, colon + 1);
  if (unsafeValue.test(value)) throw new BadAnswer('a control character in a header');
  const known = headers[key];
  if (known === undefined) headers[key] = value;
  else if (typeof known === 'string') headers[key] = [known, value];
  else known.push(value);
}

/** Only blanks and tabs are white space here (RFC 9110 §5.6.3): `trim` would take more. */
function withoutBlanks(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start += 1;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function framingOf(
  statusCode: number,
  isHttp11: boolean,
  headers: AnswerHeaders,
): Pick<AnswerHead, 'keepsOpen' | 'length'> {
  const connection = [headers['connection'] ?? []].flat().join(',').toLowerCase();
  const keepsOpen = isHttp11 && !/(?:^|[, \t])close(?:$|[, \t])/.test(connection);
  const { 'content-length': length, 'transfer-encoding': coding } = headers;
  if (statusCode < 200) return { keepsOpen, length: 0 };
  if (coding !== undefined) {
    // Beside a length, or more than once, two readers disagree about the end (RFC 9112 §6.3).
    if (length !== undefined || !isHttp11 || typeof coding !== 'string' || coding.toLowerCase() !== 'chunked')
      throw new BadAnswer('an end that can be read in two ways');
    return { keepsOpen, length: 'chunked' };
  }
  if (statusCode === 204 || statusCode === 304) return { keepsOpen, length: 0 };
  if (length === undefined) return { keepsOpen: false, length: 'until_close' };
  if (typeof length !== 'string' || !/^\d{1,15}$/.test(length)) throw new BadAnswer('no length');
  return { keepsOpen, length: Number(length) };
}
