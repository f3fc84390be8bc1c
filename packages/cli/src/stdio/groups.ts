/** Which of the groups that rules name the person of this machine is in: see `sign-in/groups.ts` of the gateway. */
import { checkMemberships } from '@valetkey/core/graph/memberships';
import { type BackendRules, listNamedGroups } from '@valetkey/core/policy/rules';
import { callGraph, createLocalGraph, type SignedInPerson, type SignIn } from '@valetkey/local';

/** @throws SignInFailed, GraphFailed where it cannot be said, and the rules go by it. */
export type FindGroups = (person: SignedInPerson, signal: AbortSignal) => Promise<readonly string[]>;

/** Graph is asked where the token lists no groups since there are too many, once for as long as the token is good. */
export function createGroupFinder(auth: SignIn, rules: BackendRules): FindGroups {
  const named = listNamedGroups(rules);
  const graph = createLocalGraph(auth);
  const state: { known?: { readonly key: string; readonly groups: readonly string[] } } = {};
  return async (person, signal) => {
    if (named.length === 0 || person.hasGroupOverage !== true) return person.groups;
    const key = [person.tenantId, person.objectId, person.expiresAtSeconds].join(' ');
    if (state.known?.key === key) return state.known.groups;
    const groups = await callGraph(auth, ['User.Read'], (caller) => checkMemberships(graph, caller, named), {
      signal,
    });
    state.known = { key, groups: groups.map((group) => group.toLowerCase()) };
    return state.known.groups;
  };
}
