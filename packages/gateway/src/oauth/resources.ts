import { errors, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider';
import type { KeyRing } from '@valetkey/core/crypto/key-ring';
import type { ProtectedResource } from '../config/config.ts';

/** The protected resources of RFC 8707: the backends, found by the identifier that a client sends. */
export interface Resources {
  /** Compared as a URL, without a trailing slash: some clients add one, some write the host in capitals. */
  find(indicator: string): ProtectedResource | undefined;
  /** The one backend when there is only one, for 2025-03-26 clients that send no `resource`. */
  readonly only: ProtectedResource | undefined;
  readonly all: readonly ProtectedResource[];
}

export function createResources(backends: readonly ProtectedResource[]): Resources {
  const byIdentifier = new Map(backends.map((backend) => [canonical(backend.resource), backend]));
  return {
    find: (indicator) => byIdentifier.get(canonical(indicator)),
    only: backends.length === 1 ? backends[0] : undefined,
    all: backends,
  };
}

function canonical(identifier: string): string {
  const url = URL.parse(identifier);
  if (url === null || url.search !== '' || url.hash !== '' || url.username !== '') return '';
  return url.href.replace(/\/$/, '');
}

/**
 * Answers oidc-provider's question what a resource indicator stands for: a backend, whose tokens are JWE
 * (`dir`, A256GCM) under the current key of the ring and bound to that backend alone by `aud`.
 *
 * @throws InvalidTarget for an unknown resource, and for more than one in a request: a token works for one backend.
 */
export function describeResource(
  ctx: KoaContextWithOIDC,
  indicator: string,
  options: { readonly resources: Resources; readonly keyRing: KeyRing; readonly accessTokenSeconds: number },
): ResourceServer {
  const requested = ctx.oidc.params?.['resource'];
  if (Array.isArray(requested) && requested.length > 1) {
    throw new errors.InvalidTarget('ask for one resource at a time');
  }
  const backend = options.resources.find(indicator);
  if (backend === undefined) throw new errors.InvalidTarget('the resource is not served here');
  const { kid, key } = options.keyRing.current('access-token');
  return {
    audience: backend.resource,
    scope: backend.scopes.map((scope) => scope.name).join(' '),
    accessTokenFormat: 'jwt',
    accessTokenTTL: options.accessTokenSeconds,
    jwt: { sign: undefined, encrypt: { alg: 'dir', enc: 'A256GCM', key, kid } },
  } as unknown as ResourceServer;
}

/**
 * Which scopes a sign-in is about: those asked for that this backend has. A client that asks for none of them
 * (Copilot Studio sends no scope at all) means all of the backend's (RFC 6749 §3.3 allows a default).
 *
 * @returns undefined when the client asked for scopes, and all of them are foreign: `invalid_scope`.
 */
export function resolveScopes(
  backend: ProtectedResource,
  requested: string | undefined,
): readonly string[] | undefined {
  const known = backend.scopes.map((scope) => scope.name);
  const asked = (requested ?? '').split(' ').filter((scope) => scope !== '' && !identityScopes.has(scope));
  if (asked.length === 0) return known;
  const kept = known.filter((scope) => asked.includes(scope));
  return kept.length > 0 ? kept : undefined;
}

const identityScopes = new Set(['openid', 'profile', 'email', 'offline_access']);
