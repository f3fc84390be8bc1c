/**
 * Reads one answer of a backend (RFC 9112), strictly: where it could be read in two ways, or says its end in two ways, it
 * is refused, since what follows would be taken for the answer to the next person's request.
 */
import type { AnswerHead, ParseHead } from './answer-head.ts';
import { BadAnswer } from './bad-answer.ts';
import { readChunks, type ChunkState, startChunks } from './chunked-body.ts';

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

/**
 * @param bytes from the first byte of the answer.
 * @returns the head and where the body begins; undefined while it is not complete. Interim answers (RFC 9110 §15.2) are
 *   passed over.
 * @param parseHead `createHeadParser`.
 * @throws BadAnswer
 */
export function readHead(
  bytes: Buffer,
  parseHead: ParseHead,
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
    const head = parseHead(bytes.toString('latin1', start, end));
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
