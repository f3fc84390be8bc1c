import type { Principal } from './principal.ts';

/** For tests: somebody of whom only roles and scopes matter. */
export function callerWith(roles: readonly string[] = [], scopes: readonly string[] = []): Principal {
  return { tenantId: 't', objectId: 'o', roles, groups: [], scopes, clientId: 'c', sessionId: 's' };
}
