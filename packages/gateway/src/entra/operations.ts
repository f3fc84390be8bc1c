/** One MSAL client application per operation: its cache is one session's, and it ends with the operation. */
import type { AuthenticationResult, Configuration } from '@azure/msal-node';
import { ConfidentialClientApplication } from '@azure/msal-node';
import type { Clock } from '@valetkey/core/base/clock';
import type { AuthorityMetadata } from './authority.ts';
import type { ClientAuthentication } from './credential.ts';
import type { LastAnswer } from './msal-network.ts';
import { createMsalNetwork } from './msal-network.ts';
import type { Outbound } from './outbound.ts';
import type { SessionCache } from './session-cache.ts';

export interface OperationOptions {
  readonly clientId: string;
  readonly authority: AuthorityMetadata;
  readonly authentication: ClientAuthentication;
  readonly cache: SessionCache;
  readonly outbound: Outbound;
  readonly clock: Clock;
  /** Whether whoever uses the tokens passes claims challenges of APIs on. Default: no. */
  readonly answersChallenges?: boolean;
}

export interface Operation {
  redeem(request: {
    readonly code: string;
    readonly codeVerifier: string;
    readonly nonce: string;
    readonly redirectUri: string;
    readonly scopes: readonly string[];
  }): Promise<AuthenticationResult>;
  /** @returns undefined when the cache knows no account. */
  renew(scopes: readonly string[]): Promise<Renewal | undefined>;
  /** A token of the cache's person for an API. @returns undefined when the cache knows no account. */
  personToken(scopes: readonly string[], claims?: string): Promise<TokenAnswer | undefined>;
  /** The same for whoever the assertion stands for. */
  onBehalfOf(assertion: string, scopes: readonly string[], claims?: string): Promise<TokenAnswer | undefined>;
  /** A token of the application itself, for nobody in particular. */
  appToken(scope: string): Promise<AuthenticationResult | null>;
  /** How the last request went; for `refusalFrom`. */
  last(): LastAnswer;
}

export interface Renewal {
  readonly idToken: string;
  /** Who the cache belonged to before the renewal. */
  readonly previous: { readonly tenantId: string; readonly objectId: string };
}

export interface TokenAnswer {
  readonly accessToken: string;
  readonly expiresAtSeconds: number;
  /** Whether it was made for the person it was asked for. */
  readonly isOfSamePerson: boolean;
}

/** MSAL writes it into the request's `claims`: APIs send challenges only to who says that they can be answered. */
const challengeable = ['CP1'];

/** With the discovery document given, making one costs well under a millisecond and no request. */
export function startOperation(options: OperationOptions): Operation {
  const { origin, host } = new URL(options.authority.authority);
  const network = createMsalNetwork({ outbound: options.outbound, clock: options.clock, onlyOrigin: origin });
  const configuration: Configuration = {
    auth: {
      clientId: options.clientId,
      authority: options.authority.authority,
      knownAuthorities: [host],
      authorityMetadata: options.authority.document,
      cloudDiscoveryMetadata: describeCloud(options.authority.authority),
      ...options.authentication,
      ...(options.answersChallenges === true ? { clientCapabilities: challengeable } : {}),
    },
    cache: { cachePlugin: options.cache.plugin },
    system: { networkClient: network.module },
  };
  const application = new ConfidentialClientApplication(configuration);

  return {
    last: () => network.last(),

    redeem: ({ scopes, ...request }) => application.acquireTokenByCode({ ...request, scopes: [...scopes] }),

    async personToken(scopes, claims) {
      const [account] = await application.getTokenCache().getAllAccounts();
      if (account === undefined) return undefined;
      const result = await application.acquireTokenSilent({
        account,
        scopes: [...scopes],
        forceRefresh: true,
        ...(claims === undefined ? {} : { claims }),
      });
      return describeAnswer(result, account.localAccountId);
    },

    async onBehalfOf(oboAssertion, scopes, claims) {
      const result = await application.acquireTokenOnBehalfOf({
        oboAssertion,
        scopes: [...scopes],
        skipCache: true,
        ...(claims === undefined ? {} : { claims }),
      });
      return result === null ? undefined : describeAnswer(result, undefined);
    },

    appToken: (scope) => application.acquireTokenByClientCredential({ scopes: [scope], skipCache: true }),

    async renew(scopes) {
      const [account] = await application.getTokenCache().getAllAccounts();
      if (account === undefined) return undefined;
      const result = await application.acquireTokenSilent({
        account,
        scopes: [...scopes],
        forceRefresh: true,
      });
      return {
        idToken: result.idToken,
        previous: { tenantId: account.tenantId, objectId: account.localAccountId },
      };
    },
  };
}

function describeAnswer(result: AuthenticationResult, objectId: string | undefined): TokenAnswer {
  return {
    accessToken: result.accessToken,
    expiresAtSeconds: Math.floor((result.expiresOn?.getTime() ?? 0) / 1000),
    isOfSamePerson: objectId === undefined || result.uniqueId === objectId,
  };
}

/** What `/common/discovery/instance` would say; an unknown host without it makes MSAL ask the public cloud. */
function describeCloud(authority: string): string {
  const { host } = new URL(authority);
  return JSON.stringify({
    tenant_discovery_endpoint: `${authority}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
  });
}
