/**
 * Patterns of names and URIs. `*` stands for any characters, none and `/` included; everything else stands for itself,
 * and capital and small letters differ. There is no way to escape, and no other sign with a meaning, so a pattern means
 * what it looks like, and matching it takes one pass.
 */
export interface Pattern {
  readonly text: string;
  /** What stands between the stars; at least two parts. */
  readonly parts: readonly string[];
  /** Characters that are no star: the more there are, the more specific a pattern is. */
  readonly literalLength: number;
}

export function isPattern(text: string): boolean {
  return text.includes('*');
}

export function fitsEverything(text: string): boolean {
  return /^\*+$/.test(text);
}

export function parsePattern(text: string): Pattern {
  const parts = text.split('*');
  return { text, parts, literalLength: text.length - (parts.length - 1) };
}

/** One pass: each part is looked for behind the one before, never again from the front. */
export function matchesPattern(pattern: Pattern, name: string): boolean {
  const { literalLength } = pattern;
  const { first, middle, last } = endsOf(pattern);
  if (name.length < literalLength || !name.startsWith(first) || !name.endsWith(last)) return false;
  const end = name.length - last.length;
  let at = first.length;
  for (const part of middle) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/**
 * The more specific one first: the one with more characters of its own, then the one with fewer stars.
 *
 * @returns 0 for two that are equally specific, which only do not matter to each other if no name fits both.
 */
export function compareSpecificity(a: Pattern, b: Pattern): number {
  return b.literalLength - a.literalLength || a.parts.length - b.parts.length;
}

/**
 * Whether some name fits both. With a star in each, only what stands before the first and behind the last one can keep
 * them apart: whatever one asks for in between fits into a star of the other.
 */
export function overlaps(a: Pattern, b: Pattern): boolean {
  const one = endsOf(a);
  const other = endsOf(b);
  return (
    (one.first.startsWith(other.first) || other.first.startsWith(one.first)) &&
    (one.last.endsWith(other.last) || other.last.endsWith(one.last))
  );
}

function endsOf({ parts }: Pattern) {
  return { first: parts[0] ?? '', middle: parts.slice(1, -1), last: parts.at(-1) ?? '' };
}
