/**
 * The authorization server of some protected resources, with the way of a person through it: what the gateway puts
 * in front of its backends, and a server of one's own in front of itself.
 */
import type { Policy } from '@valetkey/core/policy/decide';
import type { ProtectedResource, ServerConfig } from './config/config.ts';
import type { TokenVerifier } from './enforce/verify-token.ts';
import type { CheckClientLimit } from './http/client-limit.ts';
import { type AuthorizationServer, createAuthorizationServer } from './oauth/authorization-server.ts';
import { renderOAuthError } from './oauth/error-page.ts';
import { createResources } from './oauth/resources.ts';
import { keysOf, type Services } from './services.ts';
import { createBrowsers } from './session/browsers.ts';
import { createConsents } from './session/consents.ts';
import { createSignInTransactions } from './session/sign-in-transactions.ts';
import type { PendingSignIn, SignInFlow } from './sign-in/sign-in-flow.ts';

export interface AuthorityOptions {
  readonly config: ServerConfig;
  readonly resources: readonly ProtectedResource[];
  /** The policy of each resource, by its name: who may not enter at all is told so at the sign-in. */
  readonly policies: ReadonlyMap<string, Policy>;
  readonly services: Services;
  readonly checkClientLimit: CheckClientLimit;
}

export interface Authority {
  readonly config: ServerConfig;
  readonly resources: readonly ProtectedResource[];
  readonly authorizationServer: AuthorizationServer;
  readonly flow: SignInFlow;
}

/** Everything that lasts is in `services`, so an authority can be made anew when its resources have changed. */
export function createAuthority(options: AuthorityOptions): Authority {
  const { config, resources, policies, services, checkClientLimit } = options;
  const {
    world,
    keyRing,
    store,
    audit,
    verifier,
    signIns,
    sessions,
    stepUps,
    entra,
    groups,
    fetchFromStranger,
  } = services;
  const { clock, random, log } = world;
  groups.follow(resources);
  const authorizationServer = createAuthorizationServer({
    config,
    keyRing,
    store,
    world,
    audit,
    cookieKeys: () => keysOf(keyRing, 'cookie').map((key) => Buffer.from(key).toString('base64')),
    resources: createResources(resources),
    signIns,
    fetchFromStranger,
    renderError: renderOAuthError,
    readAccessToken: createTokenReader(verifier, resources),
    checkClientLimit,
  });
  return {
    config,
    resources,
    authorizationServer,
    flow: {
      config,
      entra,
      groups,
      sessions,
      stepUps,
      policies,
      checkClientLimit,
      store,
      audit,
      clock,
      random,
      log,
      interactions: authorizationServer.interactions,
      consents: createConsents({ store, clock, lifetimes: config.lifetimes }),
      browsers: createBrowsers({ store, clock, random }),
      transactions: createSignInTransactions<PendingSignIn>({
        store,
        clock,
        random,
        lifetimeSeconds: config.lifetimes.signInSeconds,
      }),
      formKeys: () => keysOf(keyRing, 'form'),
    },
  };
}

/** For `/revoke`: whose token is it, whichever resource it was made for. */
function createTokenReader(verifier: TokenVerifier, resources: readonly ProtectedResource[]) {
  return async (token: string) => {
    for (const { resource } of resources) {
      const verified = await verifier.verify(token, resource);
      if (verified.ok) return verified.value.principal;
      if (verified.error !== 'wrong_audience') return undefined;
    }
    return undefined;
  };
}
