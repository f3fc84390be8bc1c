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
    },
    cache: { cachePlugin: options.cache.plugin },
    system: { networkClient: network.module },
  };
  const application = new ConfidentialClientApplication(configuration);

  return {
    last: () => network.last(),

    redeem: ({ scopes, ...request }) => application.acquireTokenByCode({ ...request, scopes: [...scopes] }),

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

/** What `/common/discovery/instance` would say; an unknown host without it makes MSAL ask the public cloud. */
function describeCloud(authority: string): string {
  const { host } = new URL(authority);
  return JSON.stringify({
    tenant_discovery_endpoint: `${authority}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
  });
}
