/** Where in an event stream the bytes that have passed so far end: a comment may stand between two events only. */

export interface EventBoundary {
  push(chunk: Uint8Array): void;
  /** Whether what has passed ends with a whole event, or nothing has passed. */
  isBetweenEvents(): boolean;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * An event ends with an empty line; lines end with CR LF, LF or CR (WHATWG HTML §9.2). A CR at the very end of an LF
 * stream may be half of a line end, and does not count before the next byte has come.
 */
export function createEventBoundary(): EventBoundary {
  // The last three bytes: `LF CR LF` is the longest end of an event that shorter ones do not decide.
  let [third, second, last] = [lineFeed, lineFeed, lineFeed];

  return {
    push(chunk) {
      for (const byte of chunk.subarray(-3)) [third, second, last] = [second, last, byte];
    },
    isBetweenEvents() {
      if (last === carriageReturn) return second === carriageReturn;
      if (last !== lineFeed) return false;
      return second === lineFeed || (second === carriageReturn && isLineEnd(third));
    },
  };
}

function isLineEnd(byte: number): boolean {
  return byte === lineFeed || byte === carriageReturn;
}
