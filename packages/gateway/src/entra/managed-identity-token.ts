import { AsyncLocalStorage } from 'node:async_hooks';
import { AuthError, type INetworkModule, ManagedIdentityApplication } from '@azure/msal-node';
import type { Clock } from '@valetkey/core/base/clock';
import { Secret } from '@valetkey/core/base/secret';
import { CredentialFailed } from './credential-failed.ts';
import type { KeptToken } from './kept-tokens.ts';
import { createMsalNetwork, type MsalNetwork } from './msal-network.ts';
import type { Outbound } from './outbound.ts';

export interface ManagedIdentitySource {
  /** Of a user-assigned identity; undefined: the one that the machine or app has of its own. */
  readonly clientId?: string | undefined;
  readonly outbound: Outbound;
  readonly clock: Clock;
}

/**
 * MSAL keeps the network module of its first managed identity for the life of the process, in a static member: what it is
 * given finds the network of whoever is asking now. Otherwise all would go through the connections of the first one,
 * also after these were closed, and a failure of one would be explained by the last answer to another.
 */
const asking = new AsyncLocalStorage<MsalNetwork>();
const networkOfAsker: INetworkModule = {
  sendGetRequestAsync: (url, options) => findNetwork().sendGetRequestAsync(url, options),
  sendPostRequestAsync: (url, options) => findNetwork().sendPostRequestAsync(url, options),
};

function findNetwork(): INetworkModule {
  const network = asking.getStore();
  if (network === undefined) throw new Error('a managed identity is asked outside of its own request');
  return network.module;
}

/**
 * Asks the platform (App Service, Functions, a virtual machine) for a token of a managed identity.
 *
 * @param resource App ID URI or GUID of the API, without `/.default`.
 * @throws CredentialFailed when it gives none.
 */
export async function acquireManagedIdentityToken(
  resource: string,
  { clientId, outbound, clock }: ManagedIdentitySource,
): Promise<KeptToken> {
  const network = createMsalNetwork({ outbound, clock });
  const identity = new ManagedIdentityApplication({
    ...(clientId === undefined ? {} : { managedIdentityIdParams: { userAssignedClientId: clientId } }),
    system: { networkClient: networkOfAsker },
  });
  try {
    // `forceRefresh`: MSAL's own cache is static, one per process, and outlives this gateway.
    const result = await asking.run(network, () => identity.acquireToken({ resource, forceRefresh: true }));
    const expiresAtSeconds = Math.floor((result.expiresOn?.getTime() ?? 0) / 1000);
    return { accessToken: new Secret(result.accessToken), expiresAtSeconds };
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    const { status, failed } = network.last();
    // 404 and 410: the endpoint is still starting (Azure: managed identity, error handling).
    const later = failed !== undefined || [404, 410, 429].includes(status ?? 0) || (status ?? 0) >= 500;
    const detail = failed?.message ?? `${error.errorCode}${status === undefined ? '' : `, HTTP ${status}`}`;
    throw new CredentialFailed(
      later ? 'unavailable' : 'operator',
      `no token for the managed identity ${clientId ?? 'of this machine'}: ${detail}`,
    );
  }
}
