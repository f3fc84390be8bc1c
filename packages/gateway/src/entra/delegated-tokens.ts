import { err, ok, type Result } from '@valetkey/core/base/result';
import { Secret } from '@valetkey/core/base/secret';
import type { EntraConfig } from '../config/config.ts';
import type { World } from '../world.ts';
import { createAuthorities } from './authority.ts';
import { openCredential } from './credential.ts';
import type { DelegatedRequest, EntraRefusal, PersonToken } from './entra.ts';
import { refusalFrom } from './errors.ts';
import { createKeptTokens } from './kept-tokens.ts';
import type { Operation } from './operations.ts';
import { startOperation } from './operations.ts';
import type { Outbound } from './outbound.ts';
import { createSessionCache } from './session-cache.ts';

/** Tokens for other APIs in exchange for those that callers present, without any session of ours (on-behalf-of flow). */
export interface DelegatedTokens {
  /**
   * Kept in memory, renewed ahead of its end, asked for once however many ask.
   * @param owner names the presented token, which the caller has verified.
   */
  tokenFor(
    owner: string,
    request: DelegatedRequest & { readonly rejected?: Secret | undefined },
  ): Promise<Result<PersonToken, EntraRefusal>>;
}

export interface DelegatedTokensOptions {
  readonly config: EntraConfig;
  readonly world: Pick<World, 'clock'>;
  readonly outbound: Outbound;
}

export function createDelegatedTokens(options: DelegatedTokensOptions): DelegatedTokens {
  const { config, outbound } = options;
  const { cloud, clientId, credential } = config;
  const { clock } = options.world;
  const authorities = createAuthorities({ cloud, outbound, clock });
  const { tokenExchangeAudience } = cloud;
  const authentication = openCredential({ credential, tokenExchangeAudience, outbound, clock });
  const kept = createKeptTokens<EntraRefusal>({ clock });

  async function exchange(request: DelegatedRequest): Promise<Result<PersonToken, EntraRefusal>> {
    let operation: Operation | undefined;
    try {
      operation = startOperation({
        clientId,
        authority: await authorities.find(request.tenantId),
        authentication: authentication(),
        // It ends here: MSAL would keep one entry for each assertion, and every assertion is a new one.
        cache: createSessionCache('on-behalf-of'),
        outbound,
        clock,
        answersChallenges: true,
      });
      const answer = await operation.onBehalfOf(request.assertion.reveal(), request.scopes, request.claims);
      if (answer === undefined) return err({ kind: 'invalid', description: 'Entra gave no token' });
      const { accessToken, expiresAtSeconds } = answer;
      return ok({ accessToken: new Secret(accessToken), expiresAtSeconds });
    } catch (error) {
      return err(refusalFrom(error, operation?.last() ?? {}));
    }
  }

  return {
    async tokenFor(owner, request) {
      return kept.get({
        owner,
        name: request.scopes.join(' '),
        acquire: () => exchange(request),
        rejected: request.rejected,
        demand: request.claims,
      });
    },
  };
}
