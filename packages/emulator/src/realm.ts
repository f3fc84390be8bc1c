/** What every endpoint of one running emulator shares. */
import { randomInt } from 'node:crypto';
import type { Directory } from './directory.ts';
import type { Faults } from './faults.ts';
import type { GraphBudget, GraphState } from './graph/graph-state.ts';
import type { Grants } from './grants.ts';
import type { KeyVault } from './key-vault/key-vault-keys.ts';
import type { SigningKeys } from './keys.ts';
import type { Cluster } from './managed-identity/workload-identity.ts';

export interface Realm {
  readonly httpOrigin: string;
  readonly httpsOrigin: string;
  readonly directory: Directory;
  readonly grants: Grants;
  readonly keys: SigningKeys;
  readonly faults: Faults;
  readonly nowMs: () => number;
  /** What the control plane may turn while the emulator runs. */
  readonly settings: {
    accessTokenLifetimeSeconds: number | undefined;
    graphBudget?: GraphBudget | undefined;
  };
  readonly graph: GraphState;
  readonly vault: KeyVault;
  readonly cluster: Cluster;
  /** What App Service calls `IDENTITY_HEADER`: the secret of its token endpoint. */
  readonly identityHeader: string;
}

/** `iss` of v2 tokens. Always the https origin: it must not depend on which listener was asked. */
export function issuerV2(realm: Realm, tenantId: string): string {
  return `${realm.httpsOrigin}/${tenantId}/v2.0`;
}

/** `iss` of v1 tokens, where Entra has a host of its own (sts.windows.net). */
export function issuerV1(realm: Realm, tenantId: string): string {
  return `${realm.httpsOrigin}/${tenantId}/`;
}

export function nowSeconds(realm: Realm): number {
  return Math.floor(realm.nowMs() / 1000);
}

/** Entra draws between 60 and 90 minutes, so that clients do not all refresh at once. */
export function accessTokenSeconds(realm: Realm): number {
  return realm.settings.accessTokenLifetimeSeconds ?? 3600 + randomInt(1800);
}
