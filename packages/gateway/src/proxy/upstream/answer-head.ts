/** The head of an answer: status, headers, and where its body ends. */
import { createRecent } from '@valetkey/core/base/recent';
import { createHeaderNames } from '../../http/header-names.ts';
import { BadAnswer } from './bad-answer.ts';
import type { AnswerHeaders } from './upstream.ts';

export interface AnswerHead {
  readonly statusCode: number;
  readonly headers: AnswerHeaders;
  /** Whether the connection can be used again once the body has come. */
  readonly keepsOpen: boolean;
  /** Bytes of the body; `chunked`, or until the connection ends. */
  readonly length: number | 'chunked' | 'until_close';
}

/** @param text without the blank line at its end. @throws BadAnswer */
export type ParseHead = (text: string) => AnswerHead;

type FindName = (written: string) => string | undefined;

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const unsafeValue = /[^\t\x20-\x7e\x80-\xff]/;
const maxKnown = 64;
/** Longer heads are read each time: what is remembered must not be large. */
const maxRemembered = 1024;

/** A backend answers with the same head again and again, for a second at least: it is read once, and its parts are shared. */
export function createHeadParser(): ParseHead {
  const findName = createHeaderNames();
  const known = createRecent<string, AnswerHead>(maxKnown);
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const head = parseHead(text, findName);
    if (text.length <= maxRemembered) known.set(text, head);
    return head;
  };
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
  Object.freeze(headers);
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
