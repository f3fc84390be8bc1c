/**
 * Room `oauth`: the authorization server toward MCP clients. oidc-provider does the protocol; this file holds its
 * whole configuration, the files beside it one concern each. Knows no Entra and no pages: who signed in, and what
 * they allowed, is told to it by the sign-in flow through `SignIns`.
 */
import Provider, { errors, type Configuration, type KoaContextWithOIDC } from 'oidc-provider';
import { type Clock, nowSeconds } from '@valetkey/core/base/clock';
import { randomId } from '@valetkey/core/base/random';
import type { KeyRing } from '@valetkey/core/crypto/key-ring';
import type { ServerConfig } from '../config/config.ts';
import type { Store } from '../store/collection.ts';
import type { World } from '../world.ts';
import { createAdapterFactory, orTemporarilyUnavailable } from './adapter.ts';
import { createDocumentFetch } from './client-documents.ts';
import type { FetchFromStranger } from './guarded-fetch.ts';
import { createInteractionPolicy } from './interaction-policy.ts';
import { preRegisteredClients } from './pre-registered.ts';
import { privateRedirects } from './private-redirects.ts';
import { sessionCookie } from './replayed-request.ts';
import { describeResource, type Resources } from './resources.ts';
import type { SignIns } from './sign-ins.ts';

export interface ProviderOptions {
  readonly config: ServerConfig;
  readonly keyRing: KeyRing;
  readonly store: Store;
  readonly resources: Resources;
  readonly signIns: SignIns;
  readonly fetchFromStranger: FetchFromStranger;
  readonly renderError: (ctx: KoaContextWithOIDC, out: errors.OIDCProviderError | Error) => void;
  /** The first signs, all verify; a function where they may be rotated meanwhile. */
  readonly cookieKeys: readonly string[] | (() => readonly string[]);
  readonly world: World;
}

/** All private-use redirects that this deployment accepts. */
export function privateUseRedirects(config: ServerConfig): ReadonlySet<string> {
  return new Set([...privateRedirects.map(({ uri }) => uri), ...config.clients.redirectUris]);
}

export function createProvider(options: ProviderOptions): Provider {
  const provider = new Provider(options.config.publicUrl, configuration(options));
  provider.proxy = true;
  return provider;
}

function configuration(options: ProviderOptions): Configuration {
  const { config, keyRing, resources, signIns, world } = options;
  const { lifetimes } = config;
  const isSecure = config.publicUrl.startsWith('https:');
  const privateUse = privateUseRedirects(config);
  const cookie = {
    httpOnly: true,
    sameSite: 'lax',
    secure: isSecure,
    signed: true,
    overwrite: true,
  } as const;
  const off = { enabled: false };

  return {
    adapter: createAdapterFactory({
      store: options.store,
      clock: world.clock,
      registrationSeconds: lifetimes.registrationSeconds,
      onGrantEnded: (grantId) => signIns.end(grantId),
    }),
    clients: preRegisteredClients(config.clients.preRegistered, privateUse),
    jwks: { keys: [keyRing.signingJwk] },
    routes: {
      authorization: '/authorize',
      token: '/token',
      registration: '/register',
      revocation: '/revoke',
      jwks: '/jwks',
    },
    scopes: ['offline_access'],
    responseTypes: ['code'],
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    clientDefaults: {
      id_token_signed_response_alg: 'ES256',
      grant_types: ['authorization_code', 'refresh_token'],
    },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    allowOmittingSingleRegisteredRedirectUri: false,
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: async () => false,
    clientBasedCORS: () => true,
    features: {
      devInteractions: off,
      dPoP: off,
      pushedAuthorizationRequests: off,
      rpInitiatedLogout: off,
      userinfo: off,
      registration: {
        enabled: config.clients.dynamicRegistration,
        issueRegistrationAccessToken: false,
        // Short, so that audit and consent page show it whole: a public client's id is no secret.
        idFactory: () => `c-${randomId(world.random, 12)}`,
      },
      // Only the feature flag: `/revoke` of a sealed access token is answered in `middleware.ts`.
      revocation: {
        enabled: true,
        allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId,
      },
      clientIdMetadataDocument: {
        enabled: config.clients.metadataDocuments.enabled,
        ack: 'draft-02',
        allowFetch: async (_ctx: unknown, clientId: string) => isAllowedHost(clientId, config),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: async (_ctx, _client, oneOf) =>
          (Array.isArray(oneOf) ? oneOf[0] : oneOf) ?? resources.only?.resource ?? [],
        useGrantedResource: async () => true,
        getResourceServerInfo: async (ctx, indicator) =>
          describeResource(ctx, indicator, {
            resources,
            keyRing,
            accessTokenSeconds: lifetimes.accessTokenSeconds,
          }),
      },
    },
    fetch: createDocumentFetch({ fetchFromStranger: options.fetchFromStranger, privateUse, log: world.log }),
    fetchResponseBodyLimits: { 'client_id metadata document': 5 * 1024, jwks_uri: 64 * 1024 },
    interactions: {
      policy: createInteractionPolicy(config.publicUrl),
      url: async (_ctx, interaction) => `/consent/${interaction.uid}`,
    },
    cookies: {
      names: { session: sessionCookie, interaction: 'valetkey-interaction', resume: 'valetkey-resume' },
      long: cookie,
      short: cookie,
      keys: [...(typeof options.cookieKeys === 'function' ? options.cookieKeys() : options.cookieKeys)],
    },
    ttl: {
      AccessToken: lifetimes.accessTokenSeconds,
      AuthorizationCode: lifetimes.authorizationCodeSeconds,
      // Sliding, and never beyond the end of the sign-in, which does not move.
      RefreshToken: (ctx) => Math.min(lifetimes.refreshTokenSeconds, leftOfGrant(ctx, world.clock)),
      Grant: lifetimes.sessionSeconds,
      Interaction: lifetimes.signInSeconds,
      Session: lifetimes.signInSeconds,
      IdToken: 60,
    },
    extraTokenClaims: async (_ctx, token) => {
      const facts =
        'grantId' in token ? await orTemporarilyUnavailable(signIns.findFacts(token.grantId)) : undefined;
      if (facts === undefined) throw new errors.InvalidGrant('the session has ended');
      return { ...facts };
    },
    findAccount: async (ctx, accountId, token) => {
      if (token?.kind === 'RefreshToken' && token.grantId !== undefined)
        await checkStillSignedIn(signIns, token.grantId);
      void ctx;
      return { accountId, claims: async () => ({ sub: accountId }) };
    },
    renderError: async (ctx, _out, error) => options.renderError(ctx, error),
  };
}

/**
 * Called where oidc-provider loads the account behind a refresh token, before it spends the token: a person who
 * was disabled, or whose sign-in Entra no longer honours, gets `invalid_grant`; while Entra or the store cannot be asked,
 * nothing is spent and the client may try again.
 */
async function checkStillSignedIn(signIns: SignIns, sessionId: string): Promise<void> {
  const refusal = await orTemporarilyUnavailable(signIns.renew(sessionId));
  if (refusal === 'unavailable')
    throw new errors.TemporarilyUnavailable('Entra ID cannot be reached; try again');
  if (refusal === 'ended') throw new errors.InvalidGrant('the sign-in has ended');
}

/** Seconds until the grant ends; oidc-provider accepts no lifetime below one. `exp` is missing in its types. */
function leftOfGrant({ oidc }: KoaContextWithOIDC, clock: Clock): number {
  const grant = oidc.entities.Grant as { readonly exp?: number } | undefined;
  return grant?.exp === undefined ? Number.MAX_SAFE_INTEGER : Math.max(1, grant.exp - nowSeconds(clock));
}

function isAllowedHost(clientId: string, config: ServerConfig): boolean {
  const { allowHosts } = config.clients.metadataDocuments;
  const host = URL.parse(clientId)?.hostname;
  return host !== undefined && (allowHosts.length === 0 || allowHosts.includes(host));
}
