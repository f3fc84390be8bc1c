import type { Result } from '@valetkey/core/base/result';
import { err, ok } from '@valetkey/core/base/result';
import { isLoopbackHost } from '@valetkey/core/base/url';
import type { EntraConfig } from '../config/config.ts';
import type { Store } from '../store/collection.ts';
import type { World } from '../world.ts';
import type { AuthorityMetadata } from './authority.ts';
import { createAuthorities, ORGANIZATIONS } from './authority.ts';
import { buildAuthorizeUrl, createSignInSecrets, selectRedeemedScopes } from './authorize-url.ts';
import { watchClock } from './clock-watch.ts';
import { openCredential } from './credential.ts';
import type { Entra, EntraPerson, EntraRefusal } from './entra.ts';
import { explainCallbackError, refusalFrom } from './errors.ts';
import { createHoldOffs } from './hold-offs.ts';
import { checkIdToken } from './id-token.ts';
import { createKeySets } from './key-sets.ts';
import type { Operation } from './operations.ts';
import { startOperation } from './operations.ts';
import type { Outbound } from './outbound.ts';
import { createPersonTokens } from './person-tokens.ts';
import { openOutbound } from './outbound.ts';
import { createSingleFlight } from './single-flight.ts';
import type { SessionCache } from './session-cache.ts';
import { createSessionCache } from './session-cache.ts';

export interface EntraOptions {
  readonly config: EntraConfig;
  /** Registered at Entra as a `web` redirect URI: `publicUrl` + `/auth/callback`. */
  readonly callbackUrl: string;
  readonly store: Store;
  readonly world: World;
  /** Default: opened here, with `caFile`, and closed with the rest. One that is given is its owner's to close. */
  readonly outbound?: Outbound;
}

/** `Entra`, and what only the composition root needs. */
export interface ClosableEntra extends Entra {
  /** Drops what is in memory of a session that was revoked, or whose rights changed, elsewhere. */
  forgetHere(sessionId: string): void;
  /** Closes idle connections. */
  close(): Promise<void>;
}

/** As long as a session can live (room `session`); Entra itself ends an unused sign-in after 90 days. */
const TOKENS_LIFETIME_SECONDS = 365 * 24 * 3600;

/**
 * Opens the way to Entra. Makes no request before the first sign-in.
 *
 * Every operation answers with a refusal where Entra, the network or the credential fail.
 *
 * @throws CredentialFailed or Error here, when the certificate or `caFile` cannot be used.
 * @throws StoreUnavailable from operations, when the store did not answer.
 */
export function createEntra(options: EntraOptions): ClosableEntra {
  const { config, callbackUrl, world } = options;
  const { cloud, clientId, tenants } = config;
  const { clock } = world;
  const tokens = options.store.collection<string>('entra.tokens');
  const outbound = watchClock(
    options.outbound ?? openOutbound(config.caFile === undefined ? {} : { caFile: config.caFile }),
    world,
  );
  const authorities = createAuthorities({ cloud, outbound, clock });
  const authentication = openCredential({
    credential: config.credential,
    tokenExchangeAudience: cloud.tokenExchangeAudience,
    outbound,
    clock,
  });
  const keysOf = createKeySets(authorities, outbound);
  const renewals = new Map<string, Promise<Result<EntraPerson, EntraRefusal>>>();
  const holdOffs = createHoldOffs(clock);
  const alone = createSingleFlight({ store: options.store, random: world.random });
  const redeemedScopes = selectRedeemedScopes(config.scopes);
  /** Several tenants share one sign-in page; which of them it was is checked on the id token. */
  const signInTenant = tenants.length === 1 && tenants[0] !== undefined ? tenants[0] : ORGANIZATIONS;
  warnOfSecret(options);

  async function readPerson(
    idToken: string,
    nonce: string | undefined,
  ): Promise<Result<EntraPerson, EntraRefusal>> {
    const checked = await checkIdToken(idToken, {
      clientId,
      tenants,
      nonce,
      authorityHost: cloud.authorityHost,
      keysOf,
      clock,
    });
    return checked.ok ? checked : err({ kind: 'invalid', description: checked.error });
  }

  const start = (authority: AuthorityMetadata, cache: SessionCache, answersChallenges = false): Operation =>
    startOperation({
      clientId,
      authority,
      authentication: authentication(),
      cache,
      outbound,
      clock,
      answersChallenges,
    });

  const personTokens = createPersonTokens({
    clientId,
    caches: tokens,
    findAuthority: (tenantId = signInTenant) => authorities.find(tenantId),
    start: (authority, cache) => start(authority, cache, true),
    holdOffs,
    clock,
  });

  async function renewNow(sessionId: string): Promise<Result<EntraPerson, EntraRefusal>> {
    const stored = await tokens.get(sessionId);
    if (stored === undefined) return err(noTokens);
    const cache = createSessionCache(sessionId, stored);
    let operation: Operation | undefined;
    try {
      operation = start(await authorities.find(signInTenant), cache);
      const renewal = await operation.renew(redeemedScopes);
      if (renewal === undefined) return err(noTokens);
      const person = await readPerson(renewal.idToken, undefined);
      if (!person.ok) return person;
      if (!isSamePerson(person.value, renewal.previous)) {
        return err({ kind: 'invalid', description: 'the renewal was answered for another person' });
      }
      // `update`, not `put`: a session that was forgotten meanwhile must not come back, and who was given up for dead
      // must not undo what another replica has renewed since.
      const kept = await tokens.update(sessionId, (now) => (now === stored ? cache.content() : now));
      return kept === undefined ? err(noTokens) : person;
    } catch (error) {
      return err(refusalFrom(error, operation?.last() ?? {}));
    }
  }

  return {
    async startSignIn({ state, prompt, loginHint, scopes = [], claims }) {
      try {
        const { authorizationEndpoint } = await authorities.find(signInTenant);
        const secrets = createSignInSecrets(world.random);
        const url = buildAuthorizeUrl({
          endpoint: authorizationEndpoint,
          clientId,
          redirectUri: callbackUrl,
          scopes: [...config.scopes, ...scopes],
          state,
          secrets,
          ...(prompt === undefined ? {} : { prompt }),
          ...(loginHint === undefined ? {} : { loginHint }),
          ...(claims === undefined ? {} : { claims }),
        });
        return ok({ url, secrets });
      } catch (error) {
        return err(refusalFrom(error, {}));
      }
    },

    async finishSignIn({ code, secrets, sessionId }) {
      const cache = createSessionCache(sessionId);
      let operation: Operation | undefined;
      try {
        operation = start(await authorities.find(signInTenant), cache);
        const answer = await operation.redeem({
          code,
          codeVerifier: secrets.codeVerifier,
          nonce: secrets.nonce,
          redirectUri: callbackUrl,
          scopes: redeemedScopes,
        });
        const person = await readPerson(answer.idToken, secrets.nonce);
        if (!person.ok) return person;
        if (!cache.hasRefreshToken()) return err(noRefreshToken);
        await tokens.put(sessionId, cache.content(), { lifetimeSeconds: TOKENS_LIFETIME_SECONDS });
        return person;
      } catch (error) {
        return err(refusalFrom(error, operation?.last() ?? {}));
      }
    },

    explainCallbackError,

    async renew(sessionId) {
      const held = holdOffs.find(sessionId);
      if (held !== undefined) return err(held);
      const running =
        renewals.get(sessionId) ??
        alone(sessionId, () => renewNow(sessionId)).finally(() => renewals.delete(sessionId));
      renewals.set(sessionId, running);
      const result = await running;
      if (!result.ok) holdOffs.note(sessionId, result.error);
      return result;
    },

    async forget(sessionId) {
      personTokens.forget(sessionId);
      await tokens.delete(sessionId);
    },

    tokenFor: personTokens.tokenFor,
    forgetHere: personTokens.forget,

    async close() {
      if (options.outbound === undefined) await outbound.close();
    },
  };
}

const noTokens: EntraRefusal = {
  kind: 'interaction',
  description: 'nothing is kept of this sign-in at Entra: sign in again',
};

const noRefreshToken: EntraRefusal = {
  kind: 'operator',
  description:
    'Entra gave no refresh token: the app registration must be allowed `offline_access` (delegated, Microsoft Graph)',
};

function isSamePerson(
  person: EntraPerson,
  previous: { readonly tenantId: string; readonly objectId: string },
) {
  return person.tenantId === previous.tenantId && person.objectId === previous.objectId;
}

/** A29: a secret is fine on a developer's machine; in production a federated credential cannot leak or expire. */
function warnOfSecret({ config, callbackUrl, world }: EntraOptions): void {
  if (config.credential.kind !== 'secret' || isLoopbackHost(new URL(callbackUrl).hostname)) return;
  world.log.warn(
    'entra.credential is a client secret: use managedIdentity, workloadIdentity or certificate in production',
  );
}
