import {
  compareSpecificity,
  isPattern,
  matchesPattern,
  overlaps,
  parsePattern,
  type Pattern,
} from './pattern.ts';

/** Rules by exact name and by pattern, and what holds for everything else. */
export interface RuleTable<Rule> {
  find(name: string): Rule;
  /**
   * Every rule that a name made from an RFC 6570 template can fall under, the most specific first. A rule for the
   * template's own text decides alone.
   */
  findByTemplate(template: string): readonly Rule[];
  /** Nothing has a rule, and the others are allowed: nobody needs to look at names. */
  readonly isEmpty: boolean;
  /** An exact rule for this very text. */
  has(name: string): boolean;
}

/**
 * A Map finds exact names, without any normalization, so that names like `constructor` find nothing. Patterns are asked
 * in the order of how specific they are; two that are equally specific never fit one name, which `listAmbiguities`
 * makes sure of.
 */
export function createRuleTable<Rule>(
  rules: ReadonlyMap<string, Rule>,
  others: { readonly rule: Rule; readonly isClosed: boolean },
): RuleTable<Rule> {
  const exact = new Map([...rules].filter(([text]) => !isPattern(text)));
  const patterns = [...rules]
    .filter(([text]) => isPattern(text))
    .map(([text, rule]) => ({ pattern: parsePattern(text), rule }))
    .toSorted((a, b) => compareSpecificity(a.pattern, b.pattern));
  const find = (name: string) =>
    exact.get(name) ?? patterns.find(({ pattern }) => matchesPattern(pattern, name))?.rule ?? others.rule;

  return {
    find,
    has: (name) => exact.has(name),
    isEmpty: rules.size === 0 && !others.isClosed,
    findByTemplate(template) {
      const own = exact.get(template);
      const text = template.replace(/\{[^}]*(?:\}|$)/g, '*');
      if (own !== undefined || !isPattern(text)) return [own ?? find(template)];
      const shape = parsePattern(text);
      const found = [...exact].filter(([name]) => matchesPattern(shape, name)).map(([, rule]) => rule);
      for (const { pattern, rule } of patterns) {
        if (!overlaps(pattern, shape)) continue;
        found.push(rule);
        // Fits whatever the template makes, so nothing is left for less specific rules.
        if (matchesPattern(pattern, text)) return found;
      }
      return [...found, others.rule];
    },
  };
}

/** Pairs of patterns that are equally specific and fit a name together: which of them decides could not be said. */
export function listAmbiguities(texts: readonly string[]): [string, string][] {
  const patterns = texts.filter(isPattern).map(parsePattern);
  const isAmbiguous = (one: Pattern, other: Pattern) =>
    compareSpecificity(one, other) === 0 && overlaps(one, other);
  return patterns.flatMap((one, index) =>
    patterns
      .slice(index + 1)
      .filter((other) => isAmbiguous(one, other))
      .map((other): [string, string] => [one.text, other.text]),
  );
}
