/** The chunked transfer coding (RFC 9112 §7.1), read in whatever pieces it comes. */
import { BadAnswer } from './bad-answer.ts';

type Part = 'size' | 'data' | 'data-end' | 'trailer';

export interface ChunkState {
  part: Part;
  /** Of the data: bytes still to come. */
  left: number;
  /** Of a line: what has come of it. */
  line: string;
  trailerBytes: number;
  isOver: boolean;
}

const maxLine = 4096;
const maxTrailerBytes = 16 * 1024;
/** Extensions have no meaning here; what could not be one is refused. */
const sizeLine = /^([0-9a-fA-F]{1,8})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

export function startChunks(): ChunkState {
  return { part: 'size', left: 0, line: '', trailerBytes: 0, isOver: false };
}

/** @returns where the body has ended or `bytes` have. @throws BadAnswer */
export function readChunks(
  state: ChunkState,
  bytes: Buffer,
  start: number,
  take: (part: Buffer) => void,
): number {
  let at = start;
  while (at < bytes.length && !state.isOver) {
    if (state.part === 'data') {
      const end = Math.min(bytes.length, at + state.left);
      take(bytes.subarray(at, end));
      state.left -= end - at;
      at = end;
      if (state.left === 0) state.part = 'data-end';
    } else {
      const end = readLine(state, bytes, at);
      if (end === undefined) return bytes.length;
      at = end;
    }
  }
  return at;
}

/** @returns where the line has ended; undefined where it has not. */
function readLine(state: ChunkState, bytes: Buffer, start: number): number | undefined {
  const end = bytes.indexOf(0x0a, start);
  state.line += bytes.toString('latin1', start, end === -1 ? bytes.length : end + 1);
  if (state.line.length > maxLine) throw new BadAnswer('a line of the body is too long');
  if (end === -1) return undefined;
  if (!state.line.endsWith('\r\n')) throw new BadAnswer('a bare line feed');
  const line = state.line.slice(0, -2);
  state.line = '';
  takeLine(state, line);
  return end + 1;
}

function takeLine(state: ChunkState, line: string): void {
  switch (state.part) {
    case 'size': {
      const size = sizeLine.exec(line)?.[1];
      if (size === undefined) throw new BadAnswer('no chunk size');
      state.left = Number.parseInt(size, 16);
      state.part = state.left === 0 ? 'trailer' : 'data';
      return;
    }
    case 'data-end':
      if (line !== '') throw new BadAnswer('a chunk is longer than it says');
      state.part = 'size';
      return;
    case 'data':
    case 'trailer':
    default:
      state.trailerBytes += line.length + 2;
      if (state.trailerBytes > maxTrailerBytes) throw new BadAnswer('the trailer is too large');
      state.isOver = line === '';
  }
}
