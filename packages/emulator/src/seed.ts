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
  /** Multi-tenant apps of other tenants that are already known here: their service principals. */
  readonly servicePrincipals?: readonly ServicePrincipalSeed[];
  readonly conditionalAccess?: readonly ConditionalAccessPolicy[];
  /**
   * Who may consent for themselves, where an app asks for consent at all. Default `allowed`. With `adminOnly` a person
   * meets AADSTS90094, and with `adminRequest` the same page lets them ask an administrator (AADSTS90095).
   */
  readonly userConsent?: 'allowed' | 'adminOnly' | 'adminRequest';
  /** What Graph tells of a group. An id in `users[].groups` without a record is a security group without a name of its own. */
  readonly groups?: readonly GroupSeed[];
  /** Identities of the Azure resource that the emulator plays, for App Service and IMDS. */
  readonly managedIdentities?: readonly ManagedIdentitySeed[];
  /** The vault at the root of the https origin. Several tenants: the first one that has it. */
  readonly keyVault?: KeyVaultSeed;
}

export interface GroupSeed {
  readonly objectId: string;
  readonly displayName: string;
  readonly description?: string;
  /** Default true. `securityEnabledOnly` leaves the others out. */
  readonly securityEnabled?: boolean;
  /** Default false. */
  readonly mailEnabled?: boolean;
}

/** A role of the directory itself, such as User Administrator: in `wids`, and in what Graph lists as memberships. */
export interface DirectoryRoleSeed {
  readonly objectId: string;
  readonly roleTemplateId: string;
  readonly displayName: string;
}

export interface ManagedIdentitySeed {
  readonly kind: 'systemAssigned' | 'userAssigned';
  /** Object id of its service principal: `oid` and `sub` of its tokens, and the subject a federated credential names. */
  readonly principalId: string;
  readonly clientId: string;
  readonly displayName: string;
  /** The path in Azure Resource Manager: `/subscriptions/…`. */
  readonly resourceId: string;
}

/** Azure's built-in roles for keys. */
export type KeyVaultRole =
  | 'Key Vault Crypto Officer'
  | 'Key Vault Crypto User'
  | 'Key Vault Crypto Service Encryption User'
  | 'Key Vault Reader';

export interface KeyVaultSeed {
  readonly displayName: string;
  /** Keys that exist from the start; their material is made when first used. */
  readonly keys?: readonly {
    readonly name: string;
    /** Bits of an RSA key, default 2048. There are no others. */
    readonly keySize?: 2048 | 3072 | 4096;
  }[];
  /** Who may do what: object ids of people, service principals or managed identities. */
  readonly roleAssignments: readonly { readonly principalId: string; readonly role: KeyVaultRole }[];
}

/** An app of another tenant, installed in this one: the object id and the assignments are this tenant's own. */
export interface ServicePrincipalSeed {
  readonly clientId: string;
  readonly servicePrincipalId: string;
  readonly assignments?: readonly AssignmentSeed[];
}

export interface AssignmentSeed {
  readonly username: string;
  readonly roles: readonly string[];
}

/** `c1` to `c99` at Entra; what an API asks for by the claims challenge `acrs`. */
export type AuthenticationContext = `c${number}`;

/**
 * When it applies and what it then demands. `resources` and `contexts` are what a policy of Entra's targets: an app that
 * tokens are for, or an authentication context a claims challenge asked for; one of them is enough.
 */
export interface ConditionalAccessPolicy {
  /** A GUID: claims challenges name the policy by it (`capolids`). */
  readonly id: string;
  readonly displayName: string;
  /** Client ids of resources, or of clients for their own sign-in; `all` for every one. */
  readonly resources?: readonly string[] | 'all';
  readonly contexts?: readonly AuthenticationContext[];
  /** Usernames. Default: everybody. */
  readonly users?: readonly string[];
  /**
   * `mfa`: AADSTS50076, or 50079 for whoever has no second factor. `compliantDevice`: 53000, or 530003 without a device.
   * `domainJoinedDevice`: 53001. `block`: 53003.
   */
  readonly demand?: 'mfa' | 'compliantDevice' | 'domainJoinedDevice' | 'block';
  /** A sign-in older than this is asked for again: AADSTS70043 at the token endpoint, 70044 where a session was used. */
  readonly signInFrequencySeconds?: number;
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
  /** Those of `groups` the person is in directly: `memberOf`. Default: all. */
  readonly directGroups?: readonly string[];
  readonly directoryRoles?: readonly DirectoryRoleSeed[];
  /** One line under the name in the account picker. */
  readonly hint: string;
  /** May consent for the whole tenant. Default false. */
  readonly isAdmin?: boolean;
  /** Default `registered`: the person has an authenticator. With `none` a demand for MFA is AADSTS50079. */
  readonly secondFactor?: 'registered' | 'none';
  /** What the person signs in from, for Conditional Access. Default `none`. */
  readonly device?: 'none' | 'registered' | 'compliant' | 'domainJoined';
  /** The user account of an agent: `xms_sub_fct` 13 in its tokens. Only `user_fic` signs it in. */
  readonly isAgent?: boolean;
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
  /**
   * Write `{issuer}` for the emulator's own v2 issuer of the tenant, `{cluster}` for the issuer of the service-account
   * tokens it writes: its port is not known when a seed is written.
   */
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

/** An entry of the manifest's `optionalClaims`. `use_guid` makes a v1 token's `aud` the client id. */
export interface OptionalClaim {
  readonly name: string;
  readonly additionalProperties?: readonly string[];
}

export interface AppSeed {
  readonly clientId: string;
  /** Object id of the application, as Graph's `/applications` has it. Default: derived from the client id. */
  readonly objectId?: string;
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
  readonly assignments?: readonly AssignmentSeed[];
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
  readonly optionalClaims?: {
    readonly idToken?: readonly OptionalClaim[];
    /** In access tokens FOR this app. `xms_cc` makes it one that understands continuous access evaluation. */
    readonly accessToken?: readonly OptionalClaim[];
  };
  /** "Allow public client flows": device code and passwords without a credential. Default: with a `publicClient` redirect. */
  readonly allowPublicClient?: boolean;
  /** Which tokens the authorize endpoint may issue itself. Default: none (AADSTS700054, 700051). */
  readonly implicitGrant?: { readonly idTokens?: boolean; readonly accessTokens?: boolean };
  /**
   * Default `assumed`: everything the app asks for counts as consented. With `required` the person meets the consent
   * page, and AADSTS65001 where no page can be shown.
   */
  readonly consent?: 'assumed' | 'required';
  /** Delegated scopes of this app that only an administrator may consent to: AADSTS90094. */
  readonly adminScopes?: readonly string[];
  /** Clients whose people are never asked for these scopes of this app. */
  readonly preAuthorizedApplications?: readonly {
    readonly clientId: string;
    readonly scopes: readonly string[];
  }[];
  /** Clients whose consent page also covers what this app itself needs: the way to on-behalf-of in one consent. */
  readonly knownClientApplications?: readonly string[];
  /** App roles of other apps this one asks an administrator for, by resource client id. */
  readonly applicationPermissions?: Readonly<Record<string, readonly string[]>>;
  /** Certificates are accepted by subject and issuer (`x5c`), not by thumbprint. */
  readonly trustedSubjects?: readonly { readonly subjectName: string; readonly authorityPem: string }[];
  /** Called in a hidden frame at sign-out, with `iss` and `sid`. */
  readonly frontChannelLogoutUrl?: string;
  /** Default true. A disabled app answers AADSTS7000112. */
  readonly enabled?: boolean;
  /** The app is an agent identity: its tokens say so (`xms_act_fct`), and name the blueprint it was made from. */
  readonly agentIdentity?: { readonly blueprintClientId: string };
  /** Default true. False: AADSTS7000114 when it acts on behalf of somebody. */
  readonly onBehalfOfAllowed?: boolean;
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
  scopes: [
    'User.Read',
    'User.ReadBasic.All',
    'GroupMember.Read.All',
    'Directory.Read.All',
    'Mail.Read',
    'User.ReadWrite',
    'User.Read.All',
    'User.ReadWrite.All',
    'User.EnableDisableAccount.All',
    'User.RevokeSessions.All',
    'Group.Read.All',
    'Group.ReadWrite.All',
    'Application.Read.All',
    'Application.ReadWrite.All',
    'Directory.ReadWrite.All',
  ],
  accessTokenVersion: 1,
  appRoles: [
    { value: 'User.Read.All', displayName: 'Read all users' },
    { value: 'GroupMember.Read.All', displayName: 'Read all group memberships' },
    { value: 'User.ReadBasic.All', displayName: "Read all users' basic profiles" },
    { value: 'User.ReadWrite.All', displayName: 'Read and write all users' },
    { value: 'User.EnableDisableAccount.All', displayName: 'Enable and disable user accounts' },
    { value: 'User.RevokeSessions.All', displayName: 'Revoke all sign in sessions of a user' },
    { value: 'Group.Read.All', displayName: 'Read all groups' },
    { value: 'Group.ReadWrite.All', displayName: 'Read and write all groups' },
    { value: 'Application.Read.All', displayName: 'Read all applications' },
    { value: 'Application.ReadWrite.All', displayName: 'Read and write all applications' },
    { value: 'Directory.Read.All', displayName: 'Read directory data' },
    { value: 'Directory.ReadWrite.All', displayName: 'Read and write directory data' },
  ],
};

export const KEY_VAULT_URI = 'https://vault.azure.net';

/** Azure Key Vault as every tenant has it. */
export const keyVaultApp: AppSeed = {
  clientId: 'cfa8b339-82a2-471a-a3c9-0fc0be7a4093',
  servicePrincipalId: '9f1c2b3a-4d5e-4f60-8a71-b2c3d4e5f602',
  displayName: 'Azure Key Vault',
  redirectUris: [],
  identifierUris: [KEY_VAULT_URI],
  scopes: ['user_impersonation'],
  accessTokenVersion: 1,
};

/** Azure Resource Manager as every tenant has it: what managed identities are first tried with. */
export const resourceManagerApp: AppSeed = {
  clientId: '797f4846-ba00-4fd7-ba43-dac1f8f63013',
  servicePrincipalId: '9f1c2b3a-4d5e-4f60-8a71-b2c3d4e5f603',
  displayName: 'Windows Azure Service Management API',
  redirectUris: [],
  identifierUris: ['https://management.azure.com', 'https://management.core.windows.net'],
  scopes: ['user_impersonation'],
  accessTokenVersion: 1,
};
