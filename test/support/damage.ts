/** Bytes, damaged as a fuzzer damages them, and cut into packets. */
import * as fc from 'fast-check';

export interface Change {
  /** Where, as a part of the whole. */
  readonly at: number;
  readonly length: number;
  readonly kind: 'insert' | 'line' | 'append' | 'replace' | 'delete' | 'repeat' | 'swap';
  readonly text: string;
}

/** What begins, parts and ends the lines of HTTP, and what some readers take for it. */
export const marks = [
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '\xff',
  '\x0b',
  '0\r\n\r\n',
];

const place = fc.double({ min: 0, max: 1, noNaN: true });

/** @param texts what is put in; some of them whole lines with their end. */
export function changeWith(texts: fc.Arbitrary<string>): fc.Arbitrary<Change> {
  return fc.record({
    at: place,
    length: fc.nat(30),
    kind: fc.constantFrom('insert', 'line', 'append', 'replace', 'delete', 'repeat', 'swap'),
    text: texts,
  });
}

// oxlint-disable-next-line consistent-return -- the compiler proves that every kind is handled
export function damage(bytes: string, { at, length, kind, text }: Change): string {
  const start = Math.floor(at * bytes.length);
  const [before, part, after] = [
    bytes.slice(0, start),
    bytes.slice(start, start + length),
    bytes.slice(start + length),
  ];
  switch (kind) {
    case 'insert':
      return before + text + part + after;
    case 'line':
      return before + (part + after).replace('\r\n', () => `\r\n${text}`);
    case 'append':
      return bytes + text;
    case 'replace':
      return before + text + after;
    case 'delete':
      return before + after;
    case 'repeat':
      return before + part + part + after;
    case 'swap':
      return before + after + part;
  }
}

/** For `cutAt`. */
export function cutsUpTo(maxLength: number): fc.Arbitrary<number[]> {
  return fc.array(place, { maxLength });
}

/** @param cuts where, as parts of the whole. */
export function cutAt(bytes: string, cuts: readonly number[]): string[] {
  const ends = cuts.map((cut) => Math.floor(cut * bytes.length)).toSorted((one, other) => one - other);
  const pieces = [0, ...ends].map((start, index) => bytes.slice(start, ends[index] ?? bytes.length));
  return pieces.filter((piece) => piece !== '');
}
