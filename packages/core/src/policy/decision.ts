export type Decision =
  | { readonly allow: true }
  | {
      readonly allow: false;
      readonly reason: DenialReason;
      /** Roles the caller lacks: of `anyRole` any one would do, of `allRoles` each is needed. */
      readonly missingRoles: readonly string[];
      /** Groups of which any one would do. */
      readonly missingGroups: readonly string[];
      /**
       * All scopes the operation needs, also those the caller has: one challenge then leads to a token that
       * suffices (MCP 2026-07-28 Authorization). Empty when scopes are not what is missing.
       */
      readonly missingScopes: readonly string[];
      /** For people. Of the request it holds at most what was called, as one short word (`called-name.ts`). */
      readonly description: string;
    };

export type Denial = Extract<Decision, { allow: false }>;

/**
 * `missing_role`, `missing_group`: only an administrator can help. `wrong_tenant`, `wrong_client`: another account, or
 * another application. `no_rule`: what has no rule is closed to everybody. `unknown_tool`: the rule depends on whether
 * the tool only reads, and its backend has not said. `insufficient_scope`: the client can ask for more.
 * `malformed_operation`: it cannot be said what is asked for.
 */
export type DenialReason =
  | 'wrong_tenant'
  | 'wrong_client'
  | 'missing_role'
  | 'missing_group'
  | 'no_rule'
  | 'unknown_tool'
  | 'insufficient_scope'
  | 'malformed_operation';

export const allowed: Decision = Object.freeze({ allow: true });

/** Frozen, because one decision out of the cache is handed to many callers. */
export function deny(denial: Partial<Denial> & Pick<Denial, 'reason' | 'description'>): Decision {
  const { reason, description, missingRoles = [], missingGroups = [], missingScopes = [] } = denial;
  return Object.freeze({
    allow: false,
    reason,
    missingRoles: Object.freeze([...missingRoles]),
    missingGroups: Object.freeze([...missingGroups]),
    missingScopes: Object.freeze([...missingScopes]),
    description,
  });
}

export function malformed(description: string): Decision {
  return deny({ reason: 'malformed_operation', description });
}

/** What an operation lacks that falls under several rules, all of which must allow it: the scopes of all at once. */
export function combine(decisions: readonly Decision[]): Decision {
  const denials = decisions.filter((decision): decision is Denial => !decision.allow);
  const first = denials.find(({ reason }) => reason !== 'insufficient_scope') ?? denials[0];
  if (first === undefined || denials.length === 1) return first ?? allowed;
  return deny({
    ...first,
    missingRoles: unique(denials.flatMap(({ missingRoles }) => missingRoles)),
    missingGroups: unique(denials.flatMap(({ missingGroups }) => missingGroups)),
    missingScopes: unique(denials.flatMap(({ missingScopes }) => missingScopes)),
  });
}

export function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
