import { describeCalled } from './called-name.ts';
import { fitsEverything, isPattern } from './pattern.ts';
import type { Demand } from './requirement.ts';
import { createRuleTable, type RuleTable } from './rule-table.ts';
import type { BackendRules, Others, Requirement, ToolRequirement } from './rules.ts';

export type RuleKind = 'enter' | 'tool' | 'prompt' | 'resource';

/** One rule of a backend, with all that it asks for. */
export interface Rule extends Demand {
  /** In the cache of decisions. */
  readonly id: number;
  readonly kind: RuleKind;
  /** The name or pattern as written; undefined for `enter`, and for what has no rule of its own. */
  readonly key?: string;
}

export interface RuleSet {
  readonly enter: Rule;
  readonly tools: RuleTable<Rule>;
  readonly prompts: RuleTable<Rule>;
  readonly resources: RuleTable<Rule>;
  /** All that can decide, in the order in which people write them. */
  readonly all: readonly Rule[];
}

/** The rules of a backend as they are asked: each with `enter` in it. */
export function createRuleSet(rules: BackendRules): RuleSet {
  const enter: Rule = { id: 0, kind: 'enter', subject: 'this server', requirements: [rules.enter] };
  const all = [enter];

  function table(
    kind: Exclude<RuleKind, 'enter'>,
    named: Readonly<Record<string, ToolRequirement>> = {},
    others: Others = 'allow',
  ): RuleTable<Rule> {
    const add = (rule: Omit<Rule, 'id' | 'kind'>) => {
      const numbered: Rule = { ...rule, id: all.length, kind };
      all.push(numbered);
      return numbered;
    };
    const own = Object.entries(named).map(([key, requirement]): [string, Rule] => [
      key,
      add({ key, subject: `${kind} ${key}`, ...demandOf(rules.enter, requirement) }),
    ]);
    const isClosed = others === 'deny';
    const rest = { subject: `a ${kind} without a rule`, requirements: [rules.enter], isClosed };
    // Under a rule for everything there are no others, and a dry run that told of them would mislead.
    const rule: Rule = Object.keys(named).some(fitsEverything) ? { ...rest, id: -1, kind } : add(rest);
    return createRuleTable(new Map(own), { rule, isClosed });
  }

  return {
    enter,
    tools: table('tool', rules.tools, rules.otherTools),
    prompts: table('prompt', rules.prompts, rules.otherPrompts),
    resources: table('resource', rules.resources, rules.otherResources),
    all,
  };
}

/**
 * The rule in the words of a denial: with what was called, where its own words do not name that.
 *
 * @returns undefined where they do, or nothing was called.
 */
export function forCalled(rule: Rule | undefined, name: unknown): Rule | undefined {
  if (rule === undefined || rule.kind === 'enter' || typeof name !== 'string') return undefined;
  const { kind, key } = rule;
  if (key !== undefined && !isPattern(key)) return undefined;
  const why = key === undefined ? 'without a rule' : `rule ${key}`;
  return { ...rule, subject: `${kind} ${describeCalled(name)} (${why})` };
}

function demandOf(enter: Requirement, { readOnlyUnless, ...requirement }: ToolRequirement) {
  const requirements = [enter, requirement];
  return readOnlyUnless === undefined ? { requirements } : { requirements, readOnlyUnless };
}
