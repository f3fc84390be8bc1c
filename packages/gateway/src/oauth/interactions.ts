import type Provider from 'oidc-provider';
import { errors } from 'oidc-provider';
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import type { RandomBytes } from '@valetkey/core/base/random';
import type { ProtectedResource } from '../config/config.ts';
import type { Exchange } from '../http/exchange.ts';
import { proveApproval } from './approval-proof.ts';
import { replayRequest } from './replayed-request.ts';
import { resolveScopes, type Resources } from './resources.ts';

/** One authorization request that waits for the person: what the consent page needs to know of it. */
export interface SignInRequest {
  /** Id of the interaction; in the path of the consent page. */
  readonly id: string;
  readonly client: RequestingClient;
  readonly redirectUri: string;
  readonly backend: ProtectedResource;
  readonly scopes: readonly string[];
  readonly loginHint?: string;
}

export interface RequestingClient {
  readonly id: string;
  readonly name: string;
  readonly uri?: string;
  /**
   * How far the client's description can be believed. `document`: it is served from the client id's own host;
   * `registered`: the client said it of itself; `configured`: the operator wrote it.
   */
  readonly source: 'document' | 'registered' | 'configured';
}

/** Who signed in and what they allowed: what turns a request into a grant. */
export interface Approval {
  /** Id of the new session, used as the grant id. */
  readonly sessionId: string;
  /** `personId`. */
  readonly person: string;
  readonly scopes: readonly string[];
}

export interface Interactions {
  /** The request that this browser began: found by oidc-provider's own cookie, undefined for any other browser. */
  findOfBrowser(exchange: Exchange): Promise<SignInRequest | undefined>;
  /** For the callback, whose own cookie has already proved the browser. */
  find(id: string): Promise<SignInRequest | undefined>;
  /**
   * Grants what was approved, to the browser of this exchange: only there the request can go on.
   * @returns where the browser goes on; undefined when the request has expired.
   */
  approve(exchange: Exchange, request: SignInRequest, approval: Approval): Promise<string | undefined>;
  /** Ends the request with an OAuth error for the client (RFC 6749 §4.1.2.1). @returns where the browser goes on. */
  refuse(
    id: string,
    refusal: { readonly error: OAuthError; readonly description: string },
  ): Promise<string | undefined>;
}

export type OAuthError = 'access_denied' | 'invalid_scope' | 'server_error' | 'temporarily_unavailable';

export function createInteractions(options: {
  readonly provider: Provider;
  readonly resources: Resources;
  readonly publicUrl: string;
  readonly configuredClients: ReadonlySet<string>;
  readonly clock: Clock;
  readonly random: RandomBytes;
}): Interactions {
  const { provider, resources, clock } = options;
  const publicUrl = new URL(options.publicUrl);

  async function describe(
    interaction: Awaited<ReturnType<Provider['interactionDetails']>>,
  ): Promise<SignInRequest | undefined> {
    const {
      client_id: clientId,
      redirect_uri: redirectUri,
      resource,
      scope,
      login_hint: loginHint,
    } = interaction.params;
    const client = typeof clientId === 'string' ? await findClient(clientId) : undefined;
    const indicator = Array.isArray(resource) ? resource[0] : resource;
    const backend = typeof indicator === 'string' ? resources.find(indicator) : undefined;
    if (client === undefined || backend === undefined || typeof redirectUri !== 'string') return undefined;
    // Judged again at the end: the client's document may have changed since the request began.
    if (!client.redirectUriAllowed(redirectUri)) return undefined;
    return {
      id: interaction.uid,
      client: {
        id: client.clientId,
        name: client.clientName ?? client.clientId,
        ...(client.clientUri === undefined ? {} : { uri: client.clientUri }),
        source: sourceOf(client.clientId),
      },
      redirectUri,
      backend,
      scopes: resolveScopes(backend, typeof scope === 'string' ? scope : undefined) ?? [],
      ...(typeof loginHint === 'string' ? { loginHint } : {}),
    };
  }

  /** A metadata document can be gone, or be another one, by the time the person comes back: the client is, then, too. */
  async function findClient(clientId: string) {
    try {
      return await provider.Client.find(clientId);
    } catch (error) {
      if (error instanceof errors.OIDCProviderError) return undefined;
      throw error;
    }
  }

  function sourceOf(clientId: string): RequestingClient['source'] {
    if (options.configuredClients.has(clientId)) return 'configured';
    return clientId.startsWith('https://') ? 'document' : 'registered';
  }

  async function finish(
    id: string,
    change: (interaction: InstanceType<Provider['Interaction']>) => Promise<void> | void,
  ): Promise<string | undefined> {
    const interaction = await provider.Interaction.find(id);
    if (interaction === undefined) return undefined;
    await change(interaction);
    await interaction.save(interaction.exp - nowSeconds(clock));
    return interaction.returnTo;
  }

  return {
    async findOfBrowser(exchange) {
      const request = replayRequest(exchange.req, {
        body: new Uint8Array(),
        host: publicUrl.host,
        isSecure: publicUrl.protocol === 'https:',
      });
      try {
        return await describe(await provider.interactionDetails(request, exchange.res));
      } catch (error) {
        if (error instanceof errors.SessionNotFound) return undefined;
        throw error;
      }
    },
    async find(id) {
      const interaction = await provider.Interaction.find(id);
      return interaction === undefined ? undefined : describe(interaction);
    },
    approve: (exchange, request, approval) =>
      finish(request.id, async (interaction) => {
        const grant = new provider.Grant({ accountId: approval.person, clientId: request.client.id });
        grant.jti = approval.sessionId;
        const indicator = interaction.params['resource'];
        const resource = Array.isArray(indicator) ? indicator[0] : indicator;
        grant.addResourceScope(
          typeof resource === 'string' ? resource : request.backend.resource,
          approval.scopes.join(' '),
        );
        grant.addOIDCScope('offline_access');
        await grant.save();
        const { scope } = interaction.params;
        const isOffline = typeof scope === 'string' && scope.split(' ').includes('offline_access');
        interaction.params['scope'] = [...approval.scopes, ...(isOffline ? ['offline_access'] : [])].join(
          ' ',
        );
        interaction.result = {
          login: { accountId: approval.person, remember: false },
          consent: { grantId: approval.sessionId },
          select_account: {},
          approvedBy: proveApproval(exchange, {
            interactionId: request.id,
            publicUrl: options.publicUrl,
            random: options.random,
          }),
        };
      }),
    refuse: (id, refusal) =>
      finish(id, (interaction) => {
        interaction.result = { error: refusal.error, error_description: refusal.description };
      }),
  };
}
