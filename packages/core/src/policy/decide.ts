/**
 * Room `policy`: (principal, operation) -> decision with its reason. Knows the rules of one backend; knows no token,
 * no HTTP and no backend: what a backend says of its tools is passed in.
 */
import type { ListName } from '../mcp/list-result.ts';
import type { Operation } from '../mcp/operation.ts';
import { createCallerKey } from './caller-key.ts';
import { combine, type Decision, deny, malformed } from './decision.ts';
import { createRuleSet, forCalled, type Rule, type RuleKind } from './demands.ts';
import { isDisguisedUri } from './disguised-uri.ts';
import type { Principal } from './principal.ts';
import { judge, type ToolWord } from './requirement.ts';
import type { RuleTable } from './rule-table.ts';
import { type BackendRules, listRequirements } from './rules.ts';

export type { Decision, Denial, DenialReason } from './decision.ts';

/** What is known of the backend's tools. */
export interface KnownTools {
  /**
   * Whether the backend says that a tool only reads; undefined: it has said nothing that we heard; `unasked`: in a dry
   * run that cannot know what a gateway has heard.
   */
  isReadOnly(name: string): ToolWord;
}

export interface Policy {
  /** What it was made of. */
  readonly rules: BackendRules;
  /**
   * Judges one operation. Never throws; what it does not understand it denies.
   *
   * @param known asked only where `asksForAnnotation`. Default: nothing is known.
   */
  decide(principal: Principal, operation: Operation, known?: KnownTools): Decision;
  /** Whether the rule for this operation wants to know if the tool only reads. */
  asksForAnnotation(operation: Operation): boolean;
  /** Whether some rule does: only then is it worth hearing what a backend says of its tools. */
  readonly usesAnnotations: boolean;
  /**
   * Whether an item appears in the caller's list: when all but scopes suffices. What only needs more scopes stays
   * visible, or no client would ever ask for it and learn which scopes it needs.
   *
   * @param isReadOnly what the item of the list says, for tools.
   */
  isVisible(principal: Principal, list: ListName, name: string, isReadOnly?: boolean): boolean;
  /** Lists that the rules can shorten: any other passes as it is. */
  readonly filteredLists: ReadonlySet<ListName>;
  /** What every rule that can decide says to this caller. For a dry run: requests are judged by `decide`. */
  explain(principal: Principal): readonly RuleVerdict[];
  /** The rules that decide about an operation: one, except for a template. */
  findRules(operation: Operation): readonly RuleName[];
}

export interface RuleName {
  readonly kind: RuleKind;
  /** As written; undefined for `enter`, and for what has no rule of its own. */
  readonly key?: string;
}

export interface RuleVerdict extends RuleName {
  readonly decision: Decision;
  /** Where the rule asks: what it would be for a tool that only reads. */
  readonly ifReadOnly?: Decision;
}

const maxCachedDecisions = 1000;
/** Longer names are looked up by nobody's rules; the longest URI that a header may repeat (MCP `Mcp-Name`). */
const maxTargetLength = 8192;

/**
 * The policy of one backend.
 *
 * `enter` holds for every operation; the rule of a tool, prompt or resource for what is done with it, also as a
 * notification, which some servers execute. Decisions are cached by kind of caller and by rule.
 */
export function createPolicy(rules: BackendRules): Policy {
  const { enter, tools, prompts, resources, all } = createRuleSet(rules);
  const keyOf = createCallerKey(listRequirements(rules));
  const cache = new Map<string, Decision>();
  const usesAnnotations = all.some(({ readOnlyUnless }) => readOnlyUnless !== undefined);

  function decideRule(principal: Principal, rule: Rule, isReadOnly?: ToolWord): Decision {
    const word = rule.readOnlyUnless === undefined ? '' : String(isReadOnly);
    const key = `${rule.id}${word}|${keyOf(principal)}`;
    const known = cache.get(key);
    if (known !== undefined) return known;
    const decision = judge(principal, rule, isReadOnly);
    const [oldest] = cache.size >= maxCachedDecisions ? cache.keys() : [];
    if (oldest !== undefined) cache.delete(oldest);
    cache.set(key, decision);
    return decision;
  }

  /** The rules for what an operation is about; a text: why that cannot be said. */
  function find(operation: Operation): readonly Rule[] | string {
    const { kind, method, name, ref, uris = [] } = operation;
    if (kind === 'response') return [enter];
    if (!isPlainText(method)) return nameless;
    switch (method) {
      case 'tools/call':
        return isPlainText(name) ? [tools.find(name)] : nameless;
      case 'prompts/get':
        return findNamed(prompts, name);
      case 'resources/read':
      case 'resources/subscribe':
      case 'resources/unsubscribe':
        return findResources([name]);
      case 'subscriptions/listen':
        return uris.length === 0 ? [enter] : findResources(uris);
      case 'completion/complete':
        if (prompts.isEmpty && resources.isEmpty) return [enter];
        if (ref === undefined) return nameless;
        return ref === 'prompt' ? findNamed(prompts, name) : findTemplate(name);
      default:
        return isMisspelled(method) ? disguisedMethod : [enter];
    }
  }

  function findNamed(table: RuleTable<Rule>, name: unknown): readonly Rule[] | string {
    if (table.isEmpty) return [enter];
    return isPlainText(name) ? [table.find(name)] : nameless;
  }

  function findResources(names: readonly unknown[]): readonly Rule[] | string {
    if (resources.isEmpty) return [enter];
    const found: Rule[] = [];
    for (const name of names) {
      if (!isPlainText(name)) return nameless;
      if (isDisguisedUri(name) && !resources.has(name)) return disguised;
      found.push(resources.find(name));
    }
    return found;
  }

  function findTemplate(name: unknown): readonly Rule[] | string {
    if (resources.isEmpty) return [enter];
    if (!isPlainText(name)) return nameless;
    return isDisguisedUri(name) && !resources.has(name) ? disguised : resources.findByTemplate(name);
  }

  function findListed(list: ListName, name: string): readonly Rule[] | string {
    if (list === 'tools') return isPlainText(name) ? [tools.find(name)] : nameless;
    if (list === 'prompts') return findNamed(prompts, name);
    return list === 'resources' ? findResources([name]) : findTemplate(name);
  }

  return {
    rules,

    usesAnnotations,

    filteredLists: new Set([
      ...(tools.isEmpty ? [] : ['tools' as const]),
      ...(prompts.isEmpty ? [] : ['prompts' as const]),
      ...(resources.isEmpty ? [] : ['resources' as const, 'resourceTemplates' as const]),
    ]),

    decide(principal, operation, known) {
      const found = find(operation);
      if (typeof found === 'string') return malformed(found);
      if (!isCaller(principal)) return malformed('no caller');
      const isReadOnly = found.some(({ readOnlyUnless }) => readOnlyUnless !== undefined)
        ? known?.isReadOnly(operation.name ?? '')
        : undefined;
      const decisions = found.map((rule) => decideRule(principal, rule, isReadOnly));
      const [only] = decisions;
      const decision = only !== undefined && decisions.length === 1 ? only : combine(decisions);
      if (decision.allow) return decision;
      // One denial is told of, so one is put into words: a subscription may name many things.
      const at = decisions.findIndex((each) => !each.allow && each.description === decision.description);
      const named = forCalled(found[at], operation.uris?.[at] ?? operation.name);
      const told = named === undefined ? decision : judge(principal, named, isReadOnly);
      return told.allow ? decision : deny({ ...decision, description: told.description });
    },

    asksForAnnotation(operation) {
      if (!usesAnnotations) return false;
      const found = find(operation);
      return typeof found !== 'string' && found.some(({ readOnlyUnless }) => readOnlyUnless !== undefined);
    },

    isVisible(principal, list, name, isReadOnly = false) {
      const found = findListed(list, name);
      if (typeof found === 'string' || !isCaller(principal)) return false;
      // A template is shown to whoever can read something of what it makes.
      return found.some((rule) => {
        const decision = decideRule(principal, rule, isReadOnly);
        return decision.allow || decision.reason === 'insufficient_scope';
      });
    },

    explain: (principal) =>
      all.map((rule) => ({
        ...nameOf(rule),
        decision: decideRule(principal, rule, rule.readOnlyUnless === undefined ? undefined : 'unasked'),
        ...(rule.readOnlyUnless === undefined ? {} : { ifReadOnly: decideRule(principal, rule, true) }),
      })),

    findRules(operation) {
      const found = find(operation);
      return typeof found === 'string' ? [] : found.map(nameOf);
    },
  };
}

const nameless = 'the request does not name what it asks for';
const disguisedMethod = 'the method is written otherwise than the protocol has it';
const disguised = 'the URI has dot segments or needless escapes: write it as the server lists it';

/** What is judged by what it names, and what is filtered. */
const judgedMethods: readonly string[] = [
  'tools/call',
  'tools/list',
  'prompts/get',
  'prompts/list',
  'resources/read',
  'resources/list',
  'resources/templates/list',
  'resources/subscribe',
  'resources/unsubscribe',
  'subscriptions/listen',
  'completion/complete',
];
const lettersOfJudged: ReadonlySet<string> = new Set(judgedMethods.map(lettersOf));

/** A backend that is easy about capitals, blanks or slashes would run it as the method that it looks like. */
function isMisspelled(method: string): boolean {
  return !judgedMethods.includes(method) && lettersOfJudged.has(lettersOf(method));
}

function lettersOf(method: string): string {
  return method
    .normalize('NFKC')
    .toUpperCase()
    .toLowerCase()
    .replaceAll(/[^a-z]/g, '');
}

function nameOf({ kind, key }: Rule): RuleName {
  return key === undefined ? { kind } : { kind, key };
}

function isCaller({ roles, scopes, groups }: Principal): boolean {
  return Array.isArray(roles) && Array.isArray(scopes) && Array.isArray(groups);
}

/**
 * A name that every reader reads alike. A backend in C may end a name at NUL, and many replace half a surrogate
 * pair: either way the tool that runs would not be the one that was judged.
 */
function isPlainText(text: unknown): text is string {
  return (
    typeof text === 'string' &&
    text !== '' &&
    text.length <= maxTargetLength &&
    text.isWellFormed() &&
    !/\p{Cc}/u.test(text)
  );
}
