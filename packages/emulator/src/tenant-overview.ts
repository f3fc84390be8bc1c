/** Tenants as a reader of the console or a test sees them: who and what is there, and nothing secret. */
import type { App, Directory, User } from './directory.ts';
import type { RedirectUriSeed } from './seed.ts';

export interface UserOverview {
  readonly objectId: string;
  readonly username: string;
  readonly displayName: string;
  readonly hint: string;
  readonly enabled: boolean;
  readonly isGuest: boolean;
  readonly groupCount: number;
  /** By client id of the app. */
  readonly roles: Readonly<Record<string, readonly string[]>>;
}

export interface AppOverview {
  readonly clientId: string;
  readonly displayName: string;
  readonly redirectUris: readonly RedirectUriSeed[];
  readonly identifierUris: readonly string[];
  readonly scopes: readonly string[];
  readonly appRoles: readonly string[];
  readonly secretCount: number;
  readonly certificateCount: number;
  readonly federatedCredentialCount: number;
}

export interface TenantOverview {
  readonly tenantId: string;
  readonly domain: string;
  readonly displayName: string;
  readonly users: readonly UserOverview[];
  readonly apps: readonly AppOverview[];
}

export function describeTenants(directory: Directory): readonly TenantOverview[] {
  return directory.tenants.map(({ seed, users, apps }) => ({
    tenantId: seed.tenantId,
    domain: seed.domain,
    displayName: seed.displayName,
    users: users.map(describeUser),
    apps: apps.map(describeApp),
  }));
}

function describeUser({ seed, enabled, roles }: User): UserOverview {
  const { objectId, username, displayName, hint } = seed;
  const isGuest = seed.guestFrom !== undefined;
  const groupCount = seed.groups?.length ?? 0;
  return {
    objectId,
    username,
    displayName,
    hint,
    enabled,
    isGuest,
    groupCount,
    roles: Object.fromEntries(roles),
  };
}

function describeApp({ seed, redirectUris, certificates, federatedCredentials }: App): AppOverview {
  return {
    clientId: seed.clientId,
    displayName: seed.displayName,
    redirectUris: [...redirectUris],
    identifierUris: seed.identifierUris ?? [],
    scopes: seed.scopes ?? [],
    appRoles: (seed.appRoles ?? []).map((role) => role.value),
    secretCount: seed.secrets?.length ?? 0,
    certificateCount: certificates.length,
    federatedCredentialCount: federatedCredentials.length,
  };
}
