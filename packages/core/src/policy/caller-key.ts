import { matchesClient } from './client-match.ts';
import { unique } from './decision.ts';
import type { Principal } from './principal.ts';
import type { Requirement } from './rules.ts';

/**
 * What rules can see of a caller, as one text: which of the roles, scopes, groups, tenants and clients that the rules
 * name it has, and nothing else. Callers that no rule tells apart share it, so decisions are cached for kinds of callers,
 * and no request can fill the cache with names of its own.
 */
export function createCallerKey(requirements: readonly Requirement[]): (principal: Principal) => string {
  const named = (pick: (requirement: Requirement) => readonly string[] | undefined) =>
    unique(requirements.flatMap((requirement) => pick(requirement) ?? []));
  const roles = numberOf([...named(({ anyRole }) => anyRole), ...named(({ allRoles }) => allRoles)]);
  const scopes = numberOf(named((requirement) => requirement.scopes));
  const groups = numberOf(named(({ anyGroup }) => anyGroup));
  const tenants = numberOf(named((requirement) => requirement.tenants));
  const clients = named((requirement) => requirement.clients);
  const known = new WeakMap<Principal, string>();

  const keyOf = (principal: Principal) =>
    [
      numbersIn(principal.roles, roles),
      numbersIn(principal.scopes, scopes),
      numbersIn(principal.groups, groups),
      numbersIn([principal.tenantId], tenants),
      clients.map((client) => (matchesClient(client, principal.clientId) ? '1' : '0')).join(''),
    ].join('|');

  return (principal) => {
    const found = known.get(principal);
    if (found !== undefined) return found;
    const key = keyOf(principal);
    // The caller of a token is one frozen object for all its requests; any other could change its mind.
    if (isFrozen(principal)) known.set(principal, key);
    return key;
  };
}

function isFrozen(principal: Principal): boolean {
  const { roles, groups, scopes } = principal;
  return [principal, roles, groups, scopes].every((part) => Object.isFrozen(part));
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
