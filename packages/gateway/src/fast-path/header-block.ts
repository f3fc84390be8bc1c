import type { OutgoingHttpHeaders } from 'node:http';

export type HeaderValue = number | string | readonly string[];
export type FindName = (written: string) => string | undefined;

/** Headers as they stand in the head of an answer. */
export interface HeaderBlock {
  /** By the name in small letters. */
  readonly values: ReadonlyMap<string, HeaderValue>;
  readonly lines: string;
}

const unsafeValue = /[^\t\x20-\x7e\x80-\xff]/;

/** What could end a header must not get into one. @throws TypeError as Node does, where it could. */
export function checkValue(name: string, value: HeaderValue): void {
  const isUnsafe =
    typeof value === 'object'
      ? value.some((each) => unsafeValue.test(each))
      : unsafeValue.test(String(value));
  if (isUnsafe) throw new TypeError(`not a value of ${name}`);
}

/** @returns the lines of a header, each with its end. */
export function writeHeader(name: string, value: HeaderValue): string {
  if (typeof value !== 'object') return `${name}: ${value}\r\n`;
  return value.map((each) => `${name}: ${each}\r\n`).join('');
}

/**
 * Headers that cannot change any more, such as those of a backend's answers, are checked and written once.
 *
 * @returns undefined where they still can.
 */
export function createHeaderBlocks(
  findName: FindName,
): (headers: OutgoingHttpHeaders) => HeaderBlock | undefined {
  const known = new WeakMap<OutgoingHttpHeaders, HeaderBlock>();
  return (headers) => {
    const found = known.get(headers);
    if (found !== undefined || !Object.isFrozen(headers)) return found;
    const block = writeBlock(headers, findName);
    known.set(headers, block);
    return block;
  };
}

function writeBlock(headers: OutgoingHttpHeaders, findName: FindName): HeaderBlock {
  const values = new Map<string, HeaderValue>();
  let lines = '';
  for (const [written, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    const name = findName(written);
    if (name === undefined) throw new TypeError('not a name of a header');
    checkValue(written, value);
    values.set(name, value);
    lines += writeHeader(written, value);
  }
  return { values, lines };
}
