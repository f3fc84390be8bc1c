/**
 * The known word that somebody probably meant: another case, a dash or underscore too many, a longer form
 * (`tenantId` for `tenant`), or up to two slips of the pen.
 */
export function findLikelyWord(written: string, known: readonly string[]): string | undefined {
  const plain = simplify(written);
  const judged = known
    .map((word) => ({ word, distance: likeness(plain, simplify(word)) }))
    .toSorted((a, b) => a.distance - b.distance)[0];
  return judged !== undefined && judged.distance <= 2 ? judged.word : undefined;
}

function likeness(a: string, b: string): number {
  if (a === b) return 0;
  if (b.length >= 4 && (a.startsWith(b) || (a.length >= 4 && b.startsWith(a)))) return 1;
  const distance = editDistance(a, b);
  return distance < Math.min(a.length, b.length) ? distance : Number.POSITIVE_INFINITY;
}

function simplify(word: string): string {
  return word.slice(0, 64).toLowerCase().replaceAll(/[-_ ]/g, '');
}

/** Levenshtein, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of a.split('').entries()) {
    const next = [i + 1];
    for (const [j, other] of b.split('').entries()) {
      const substituted = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, substituted));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
