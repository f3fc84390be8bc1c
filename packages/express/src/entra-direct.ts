/** Entra as the authorization server: its own access tokens, and what they can be exchanged for. */
import type { EntraDirectConfig } from '@valetkey/gateway/config/own-server';
import { createEntraTokenVerifier } from '@valetkey/gateway/enforce/verify-entra-token';
import type { TokenVerifier, VerifiedToken } from '@valetkey/gateway/enforce/verify-token';
import { createAuthorities } from '@valetkey/gateway/entra/authority';
import { createDelegatedTokens, type DelegatedTokens } from '@valetkey/gateway/entra/delegated-tokens';
import { createKeySets } from '@valetkey/gateway/entra/key-sets';
import { openOutbound } from '@valetkey/gateway/entra/outbound';
import type { World } from '@valetkey/gateway/world';

export interface EntraDirect {
  readonly verifier: TokenVerifier;
  /** Whether it came in at this door. */
  isOwn(token: VerifiedToken): boolean;
  /** Present: there is a credential, so what callers present can be exchanged. */
  readonly delegated?: DelegatedTokens;
  close(): Promise<void>;
}

/** Asks nobody anything before the first token. */
export function openEntraDirect(config: EntraDirectConfig, world: World): EntraDirect {
  const { cloud, tenants, audience, allowsApplications, caFile, credential } = config;
  const { clock } = world;
  const outbound = openOutbound(caFile === undefined ? {} : { caFile });
  const verifier = createEntraTokenVerifier({
    cloud,
    tenants,
    audience,
    allowsApplications,
    keysOf: createKeySets(createAuthorities({ cloud, outbound, clock }), outbound),
    clock,
  });
  const own = new WeakSet<VerifiedToken>();
  return {
    verifier: {
      async verify(token, resource) {
        const verified = await verifier.verify(token, resource);
        if (verified.ok) own.add(verified.value);
        return verified;
      },
    },
    isOwn: (token) => own.has(token),
    ...(credential === undefined
      ? {}
      : { delegated: createDelegatedTokens({ config: { ...config, credential }, world, outbound }) }),
    close: () => outbound.close(),
  };
}
