/**
 * Room `seed`: what a tenant contains before anybody signs in. Plain data with types; knows no protocol.
 *
 * Nobody here is real. The passwords and the secret are public on purpose: the emulator listens on loopback only.
 */

export interface Seed {
  readonly tenants: readonly TenantSeed[];
}

export interface TenantSeed {
  readonly tenantId: string;
  /** The verified domain: an authority may name the tenant by it. */
  readonly domain: string;
  readonly displayName: string;
  readonly users: readonly UserSeed[];
  readonly apps: readonly AppSeed[];
}

export interface UserSeed {
  readonly objectId: string;
  /** The name typed on the login page; for a member also the user principal name. */
  readonly username: string;
  readonly password: string;
  readonly displayName: string;
  readonly givenName: string;
  readonly surname: string;
  readonly mail?: string;
  readonly jobTitle?: string;
  /** Default true. A disabled account answers AADSTS50057. */
  readonly enabled?: boolean;
  /** Set for a guest: the account it has at home. */
  readonly guestFrom?: { readonly tenantId: string; readonly objectId: string };
  /** Object ids of the security groups the person is in, nested ones included. */
  readonly groups?: readonly string[];
  /** One line under the name in the account picker. */
  readonly hint: string;
}

/** Where a redirect URI is registered decides how its code is redeemed: `web` must prove itself, the others must not. */
export type Platform = 'web' | 'spa' | 'publicClient';

export interface RedirectUriSeed {
  readonly uri: string;
  readonly platform: Platform;
}

export interface ClientSecretSeed {
  readonly value: string;
  /** Milliseconds since the epoch; absent = never. An expired one answers AADSTS7000222. */
  readonly expiresAtMs?: number;
}

/** A token of somebody else that an app accepts as its own credential. All three are compared exactly. */
export interface FederatedCredential {
  /** Write `{issuer}` for the emulator's own v2 issuer of the tenant: its port is not known when a seed is written. */
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
  /** Keys of a foreign issuer: the emulator never fetches them. Not needed for `{issuer}`. */
  readonly jwks?: { readonly keys: readonly Record<string, unknown>[] };
}

export interface AppRoleSeed {
  readonly value: string;
  readonly displayName: string;
}

export interface AppSeed {
  readonly clientId: string;
  /** Object id of the app's service principal: `oid` and `sub` of its app-only tokens. */
  readonly servicePrincipalId: string;
  readonly displayName: string;
  readonly redirectUris: readonly RedirectUriSeed[];
  /** Default false: only its own tenant may sign in, and `/common` answers AADSTS50194. */
  readonly multiTenant?: boolean;
  readonly secrets?: readonly ClientSecretSeed[];
  /** PEM certificates the app may sign client assertions with. */
  readonly certificates?: readonly string[];
  readonly federatedCredentials?: readonly FederatedCredential[];
  /** App ID URIs. Entra compares the `resource` parameter with these as strings. */
  readonly identifierUris?: readonly string[];
  /** Delegated scopes the app exposes. */
  readonly scopes?: readonly string[];
  /** `api.requestedAccessTokenVersion`: the format of access tokens FOR this app, whichever endpoint issues them. */
  readonly accessTokenVersion: 1 | 2;
  readonly appRoles?: readonly AppRoleSeed[];
  /** Who has which app role. An entry with no roles is the default access assignment. */
  readonly assignments?: readonly { readonly username: string; readonly roles: readonly string[] }[];
  /** Default false. With it, a person without an assignment answers AADSTS50105. */
  readonly assignmentRequired?: boolean;
  /** Application permissions other apps hold on this one: `roles` of their app-only tokens. */
  readonly applicationGrants?: readonly { readonly clientId: string; readonly roles: readonly string[] }[];
  /** Delegated permissions configured on this app as a client, by resource client id: what `/.default` means. */
  readonly delegatedPermissions?: Readonly<Record<string, readonly string[]>>;
  /** `groupMembershipClaims: SecurityGroup`. Default false. */
  readonly groupClaims?: boolean;
  /** The optional claim `idtyp` in access tokens for this app. Default false, as in Entra. */
  readonly idtypClaim?: boolean;
}

export const GRAPH_CLIENT_ID = '00000003-0000-0000-c000-000000000000';
export const GRAPH_URI = 'https://graph.microsoft.com';

/** Microsoft Graph as every tenant has it. Its tokens stay v1. */
export const graphApp: AppSeed = {
  clientId: GRAPH_CLIENT_ID,
  servicePrincipalId: '9f1c2b3a-4d5e-4f60-8a71-b2c3d4e5f601',
  displayName: 'Microsoft Graph',
  redirectUris: [],
  identifierUris: [GRAPH_URI, 'https://graph.microsoft.com/'],
  scopes: ['User.Read', 'User.ReadBasic.All', 'GroupMember.Read.All', 'Directory.Read.All', 'Mail.Read'],
  accessTokenVersion: 1,
  appRoles: [
    { value: 'User.Read.All', displayName: 'Read all users' },
    { value: 'GroupMember.Read.All', displayName: 'Read all group memberships' },
  ],
};
