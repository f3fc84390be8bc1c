/**
 * Room `policy`: (principal, operation) -> decision with its reason. Knows the rules of one backend; knows no token,
 * no HTTP and no backend.
 */
import type { Operation } from '../mcp/operation.ts';
import type { Principal } from './principal.ts';
import type { BackendRules, Requirement } from './rules.ts';

export type Decision =
  | { readonly allow: true }
  | {
      readonly allow: false;
      /**
       * `missing_role`: only an administrator can help. `insufficient_scope`: the client can ask for more.
       * `malformed_operation`: it cannot be said what is asked for.
       */
      readonly reason: DenialReason;
      /** Roles the caller lacks: of `anyRole` any one would do, of `allRoles` each is needed. */
      readonly missingRoles: readonly string[];
      /**
       * All scopes the operation needs, also those the caller has: one challenge then leads to a token that
       * suffices (MCP 2026-07-28 Authorization). Empty when scopes are not what is missing.
       */
      readonly missingScopes: readonly string[];
      /** For people. Made of the rules only, never of the request, so it is safe in a header. */
      readonly description: string;
    };

export type DenialReason = 'missing_role' | 'insufficient_scope' | 'malformed_operation';

export interface Policy {
  /** Judges one operation. Never throws; what it does not understand it denies. */
  decide(principal: Principal, operation: Operation): Decision;
  /**
   * Whether a tool appears in the caller's `tools/list`: when the roles suffice. A tool that only needs more
   * scopes stays visible, or no client would ever call it and learn which scopes to ask for.
   */
  isToolVisible(principal: Principal, name: string): boolean;
}

const maxCachedDecisions = 1000;
const allowed: Decision = Object.freeze({ allow: true });

/** Everything an operation needs: `enter`, and the tool's own rule where it has one. */
interface Rule {
  readonly id: number;
  readonly requirements: readonly Requirement[];
  /** Text that stands before "needs" in a denial. */
  readonly subject: string;
}

/**
 * The policy of one backend.
 *
 * `enter` holds for every operation. A tool's rule is found by the exact name, case-sensitive and without any
 * normalisation, in a Map, so that names like `constructor` find nothing; it holds for `tools/call` also as a
 * notification, which some servers execute.
 *
 * Decisions are cached by what the rules can see of the caller (its roles and scopes that occur in the rules) and
 * by rule, so no request can fill the cache with names of its own.
 */
export function createPolicy(rules: BackendRules): Policy {
  const enter: Rule = { id: 0, requirements: [rules.enter], subject: 'this server' };
  const tools = new Map(
    Object.entries(rules.tools).map(([name, requirement], index): [string, Rule] => [
      name,
      { id: index + 1, requirements: [rules.enter, requirement], subject: `tool ${name}` },
    ]),
  );
  const others: Rule =
    rules.otherTools === 'deny'
      ? { id: -1, requirements: [rules.enter, { anyRole: [] }], subject: 'a tool without a rule' }
      : enter;
  const all = [rules.enter, ...Object.values(rules.tools)];
  const roleNumbers = numberOf(all.flatMap((one) => [...(one.anyRole ?? []), ...(one.allRoles ?? [])]));
  const scopeNumbers = numberOf(all.flatMap((one) => one.scopes ?? []));
  const cache = new Map<string, Decision>();

  const judge = (principal: Principal, rule: Rule): Decision => {
    const key = `${rule.id}|${numbersIn(principal.roles, roleNumbers)}|${numbersIn(principal.scopes, scopeNumbers)}`;
    const known = cache.get(key);
    if (known !== undefined) return known;
    const decision = evaluate(principal, rule);
    const [oldest] = cache.size >= maxCachedDecisions ? cache.keys() : [];
    if (oldest !== undefined) cache.delete(oldest);
    cache.set(key, decision);
    return decision;
  };

  const ruleFor = (operation: Operation): Rule | undefined => {
    if (operation.kind === 'response') return enter;
    if (!isPlainText(operation.method)) return undefined;
    if (operation.method !== 'tools/call') return enter;
    return isPlainText(operation.name) ? (tools.get(operation.name) ?? others) : undefined;
  };

  return {
    decide(principal, operation) {
      const rule = ruleFor(operation);
      if (rule === undefined) return malformed('the request does not name a tool or method');
      if (!Array.isArray(principal.roles) || !Array.isArray(principal.scopes)) return malformed('no caller');
      return judge(principal, rule);
    },
    isToolVisible(principal, name) {
      if (!isPlainText(name)) return false;
      const decision = judge(principal, tools.get(name) ?? others);
      return decision.allow || decision.reason === 'insufficient_scope';
    },
  };
}

function evaluate(principal: Principal, rule: Rule): Decision {
  const roles = new Set(principal.roles);
  const scopes = new Set(principal.scopes);
  const unmetRoles = rule.requirements.map((requirement) => findMissingRoles(requirement, roles));
  const neededScopes = unique(rule.requirements.flatMap((requirement) => requirement.scopes ?? []));
  const hasScopes = neededScopes.every((scope) => scopes.has(scope));
  const missingScopes = hasScopes ? [] : neededScopes;
  const firstUnmet = unmetRoles.find((unmet) => unmet !== undefined);
  if (firstUnmet !== undefined) {
    const missingRoles = unique(unmetRoles.flatMap((unmet) => unmet?.roles ?? []));
    const description = `${rule.subject} needs ${firstUnmet.text}`;
    return deny({ reason: 'missing_role', missingRoles, missingScopes, description });
  }
  if (hasScopes) return allowed;
  const description = `${rule.subject} needs the scope ${neededScopes.join(' ')}`;
  return deny({ reason: 'insufficient_scope', missingRoles: [], missingScopes, description });
}

interface UnmetRoles {
  readonly roles: readonly string[];
  readonly text: string;
}

/** An `anyRole` without any role is met by nobody: a list that lost its entries must not open the door. */
function findMissingRoles(requirement: Requirement, roles: ReadonlySet<string>): UnmetRoles | undefined {
  const { anyRole, allRoles = [] } = requirement;
  const missing = allRoles.filter((role) => !roles.has(role));
  const lacksAny = anyRole !== undefined && !anyRole.some((role) => roles.has(role));
  if (missing.length === 0 && !lacksAny) return undefined;
  const parts = [
    ...(missing.length > 0 ? [`the role ${missing.join(' and ')}`] : []),
    ...(lacksAny ? [anyRole.length > 0 ? `the role ${anyRole.join(' or ')}` : 'a role that nobody has'] : []),
  ];
  return { roles: lacksAny ? [...missing, ...anyRole] : missing, text: parts.join(', and ') };
}

function malformed(description: string): Decision {
  return deny({ reason: 'malformed_operation', missingRoles: [], missingScopes: [], description });
}

/** Frozen, because one decision out of the cache is handed to many callers. */
function deny(denial: Omit<Extract<Decision, { allow: false }>, 'allow'>): Decision {
  const { missingRoles, missingScopes } = denial;
  return Object.freeze({
    allow: false,
    ...denial,
    missingRoles: Object.freeze([...missingRoles]),
    missingScopes: Object.freeze([...missingScopes]),
  });
}

/**
 * A name that every reader reads alike. A backend in C may end a name at NUL, and many replace half a surrogate
 * pair: either way the tool that runs would not be the one that was judged.
 */
function isPlainText(text: unknown): text is string {
  return typeof text === 'string' && text !== '' && text.isWellFormed() && !/\p{Cc}/u.test(text);
}

function numberOf(names: readonly string[]): ReadonlyMap<string, number> {
  return new Map(unique(names).map((name, index) => [name, index]));
}

/** The numbers of the held names that the rules know, in order: one text per set, whatever its order. */
function numbersIn(held: readonly string[], numbers: ReadonlyMap<string, number>): string {
  const found = new Set<number>();
  for (const name of held) {
    const number = numbers.get(name);
    if (number !== undefined) found.add(number);
  }
  return [...found].toSorted((a, b) => a - b).join(',');
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
