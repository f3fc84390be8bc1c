/** Tokens of a signed-in person for an API: what stands behind `Entra.tokenFor`. */
import type { Clock } from '@valetkey/core/base/clock';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { Secret } from '@valetkey/core/base/secret';
import type { Collection } from '../store/collection.ts';
import type { AuthorityMetadata } from './authority.ts';
import type { EntraRefusal, PersonToken, PersonTokens, TokenFlow } from './entra.ts';
import { refusalFrom } from './errors.ts';
import type { HoldOffs } from './hold-offs.ts';
import { createKeptTokens } from './kept-tokens.ts';
import type { Operation, TokenAnswer } from './operations.ts';
import type { SessionCache } from './session-cache.ts';
import { createSessionCache } from './session-cache.ts';

export interface PersonTokensOptions {
  readonly clientId: string;
  /** MSAL's caches, by session. */
  readonly caches: Collection<string>;
  readonly findAuthority: (tenantId: string | undefined) => Promise<AuthorityMetadata>;
  readonly start: (authority: AuthorityMetadata, cache: SessionCache) => Operation;
  readonly holdOffs: HoldOffs;
  readonly clock: Clock;
}

type Acquired = Result<PersonToken, EntraRefusal>;

interface SessionRequest {
  readonly sessionId: string;
  readonly scopes: readonly string[];
  readonly flow: TokenFlow;
  readonly claims?: string | undefined;
}

/** What the session remembers is read and never written: Entra keeps the refresh token that was used here good. */
export function createPersonTokens(
  options: PersonTokensOptions,
): PersonTokens & { forget(sessionId: string): void } {
  const { caches, findAuthority, start, clientId, holdOffs, clock } = options;
  const kept = createKeptTokens<EntraRefusal>({ clock });

  /** Multi-resource refresh: a refresh token of Entra belongs to a person and a client, and to no API. */
  async function refresh({ sessionId, scopes, claims }: SessionRequest): Promise<Acquired> {
    const stored = await caches.get(sessionId);
    if (stored === undefined) return err(nothingKept);
    const cache = createSessionCache(sessionId, stored);
    return ask(cache.tenantId(), cache, (operation) => operation.personToken(scopes, claims));
  }

  /** A token of the application itself is the assertion; Entra gives that one by the GUID only (AADSTS90009). */
  async function actAs(request: SessionRequest): Promise<Acquired> {
    const own = await refresh({ ...request, scopes: [`${clientId}/.default`], claims: undefined });
    if (!own.ok) return own;
    const stored = await caches.get(request.sessionId);
    if (stored === undefined) return err(nothingKept);
    const tenantId = createSessionCache(request.sessionId, stored).tenantId();
    // With a cache that ends here: MSAL would keep one entry for each assertion, and every assertion is a new one.
    return ask(tenantId, createSessionCache('on-behalf-of'), (operation) =>
      operation.onBehalfOf(own.value.accessToken.reveal(), request.scopes, request.claims),
    );
  }

  async function ask(
    tenantId: string | undefined,
    cache: SessionCache,
    work: (operation: Operation) => Promise<TokenAnswer | undefined>,
  ): Promise<Acquired> {
    let operation: Operation | undefined;
    try {
      operation = start(await findAuthority(tenantId), cache);
      const answer = await work(operation);
      if (answer === undefined) return err(nothingKept);
      return answer.isOfSamePerson ? ok(tokenOf(answer)) : err(otherPerson);
    } catch (error) {
      return err(refusalFrom(error, operation?.last() ?? {}));
    }
  }

  async function acquire(request: SessionRequest): Promise<Acquired> {
    const held = holdOffs.find(request.sessionId);
    if (held !== undefined) return err(held);
    const acquired = request.flow === 'refresh' ? await refresh(request) : await actAs(request);
    if (!acquired.ok) holdOffs.note(request.sessionId, acquired.error);
    return acquired;
  }

  return {
    tokenFor(sessionId, scopes, { flow = 'refresh', claims, rejected } = {}) {
      const request = { sessionId, scopes, flow, claims };
      return kept.get({
        owner: sessionId,
        name: [flow, ...scopes].join(' '),
        acquire: () => acquire(request),
        rejected,
        demand: claims,
      });
    },
    forget: (sessionId) => kept.forget(sessionId),
  };
}

function tokenOf({ accessToken, expiresAtSeconds }: TokenAnswer): PersonToken {
  return { accessToken: new Secret(accessToken), expiresAtSeconds };
}

const nothingKept: EntraRefusal = {
  kind: 'interaction',
  description: 'nothing is kept of this sign-in at Entra: sign in again',
};

const otherPerson: EntraRefusal = {
  kind: 'invalid',
  description: 'the token was made for another person',
};
