import { nowSeconds } from '@valetkey/core/base/clock';
import { err, ok, type Result } from '@valetkey/core/base/result';
import type { EntraConfig } from '../config/config.ts';
import type { World } from '../world.ts';
import { createAuthorities } from './authority.ts';
import { createManagedIdentityTokens, openCredential } from './credential.ts';
import type { EntraRefusal } from './entra.ts';
import { refusalFrom } from './errors.ts';
import type { Operation } from './operations.ts';
import { startOperation } from './operations.ts';
import { openOutbound, type Outbound } from './outbound.ts';
import { createSessionCache } from './session-cache.ts';

/** Tokens of the gateway itself, in nobody's name: for Microsoft Graph change tracking and for Key Vault. */
export interface AppTokens {
  /** @param resource such as `https://graph.microsoft.com`. */
  get(tenantId: string, resource: string): Promise<Result<string, EntraRefusal>>;
  close(): Promise<void>;
}

export interface AppTokensOptions {
  readonly config: EntraConfig;
  readonly world: Pick<World, 'clock'>;
  /** Client id of a managed identity to be used as it is, in place of the application. */
  readonly managedIdentity?: string;
  readonly outbound?: Outbound;
}

const renewBeforeExpirySeconds = 300;

/** Client credentials flow; each token is kept until five minutes before its end. */
export function createAppTokens({ config, world, managedIdentity, ...options }: AppTokensOptions): AppTokens {
  const { clock } = world;
  const outbound =
    options.outbound ?? openOutbound(config.caFile === undefined ? {} : { caFile: config.caFile });
  const authorities = createAuthorities({ cloud: config.cloud, outbound, clock });
  const { tokenExchangeAudience } = config.cloud;
  // A command that uses the identity alone has not read the credential of the application.
  const proof =
    managedIdentity === undefined
      ? {
          authentication: openCredential({
            credential: config.credential,
            tokenExchangeAudience,
            outbound,
            clock,
          }),
        }
      : { managedIdentity };
  const kept = new Map<string, { readonly token: string; readonly expiresAtSeconds: number }>();
  const identities = new Map<string, () => Promise<string>>();

  async function ask(tenantId: string, resource: string): Promise<Result<string, EntraRefusal>> {
    let operation: Operation | undefined;
    try {
      if ('managedIdentity' in proof) return ok(await identityFor(proof.managedIdentity, resource)());
      const authority = await authorities.find(tenantId);
      operation = startOperation({
        clientId: config.clientId,
        authority,
        authentication: proof.authentication(),
        cache: createSessionCache('app'),
        outbound,
        clock,
      });
      const result = await operation.appToken(`${resource}/.default`);
      if (result === null)
        return err({ kind: 'invalid', description: 'Entra gave no token for the application' });
      const expiresAtSeconds = Math.floor((result.expiresOn?.getTime() ?? 0) / 1000);
      kept.set(`${tenantId} ${resource}`, { token: result.accessToken, expiresAtSeconds });
      return ok(result.accessToken);
    } catch (error) {
      return err(refusalFrom(error, operation?.last() ?? {}));
    }
  }

  function identityFor(clientId: string, resource: string): () => Promise<string> {
    const known =
      identities.get(resource) ?? createManagedIdentityTokens(clientId, resource, { outbound, clock });
    identities.set(resource, known);
    return known;
  }

  return {
    async get(tenantId, resource) {
      const found = kept.get(`${tenantId} ${resource}`);
      if (found !== undefined && nowSeconds(clock) < found.expiresAtSeconds - renewBeforeExpirySeconds)
        return ok(found.token);
      return ask(tenantId, resource);
    },
    async close() {
      if (options.outbound === undefined) await outbound.close();
    },
  };
}
