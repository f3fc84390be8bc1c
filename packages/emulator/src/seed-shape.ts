/**
 * Room `seed-shape`: the types of seed.ts once more, as data that can judge JSON and become a JSON Schema. A member that only
 * one of the two has does not compile.
 */
import type {
  AppSeed,
  AssignmentSeed,
  AuthenticationContext,
  ClientSecretSeed,
  ConditionalAccessPolicy,
  FederatedCredential,
  GroupSeed,
  KeyVaultSeed,
  ManagedIdentitySeed,
  OptionalClaim,
  RedirectUriSeed,
  Seed,
  TenantSeed,
  UserSeed,
} from './seed.ts';
import {
  anything,
  dictionary,
  either,
  flag,
  guid,
  list,
  object,
  oneOf,
  optional,
  shapeFor,
  text,
  wholeNumber,
} from './shape.ts';

const name = (wanted = 'a name') => text({ pattern: '.', wanted });
const names = list(name());
const jwks = object({ keys: list(dictionary(anything())) });

export const platformShape = oneOf('web', 'spa', 'publicClient');

export const redirectUriShape = shapeFor<RedirectUriSeed>()(object({ uri: text(), platform: platformShape }));

export const clientSecretShape = shapeFor<ClientSecretSeed>()(
  object({ value: name('a secret'), expiresAtMs: optional(wholeNumber(0)) }),
);

export const certificateShape = text({
  wanted: 'a PEM certificate',
  pattern: '^-----BEGIN CERTIFICATE-----',
});

export const federatedCredentialShape = shapeFor<FederatedCredential>()(
  object({
    issuer: text({ description: '{issuer} stands for the v2 issuer of the tenant in this emulator' }),
    subject: text(),
    audience: text(),
    jwks: optional(jwks),
  }),
);

const userShape = shapeFor<UserSeed>()(
  object({
    objectId: guid(),
    username: text({ pattern: '^[^@\\s]+@[^@\\s]+$', wanted: 'a name like rita@contoso.example' }),
    password: name('a password'),
    displayName: name(),
    givenName: text(),
    surname: text(),
    mail: optional(text()),
    jobTitle: optional(text()),
    enabled: optional(flag('A disabled account answers AADSTS50057')),
    guestFrom: optional(object({ tenantId: guid(), objectId: guid() })),
    groups: optional(list(guid())),
    directGroups: optional(list(guid())),
    directoryRoles: optional(list(object({ objectId: guid(), roleTemplateId: guid(), displayName: name() }))),
    hint: text({ description: 'One line under the name in the account picker' }),
    isAdmin: optional(flag('May consent for the whole tenant')),
    secondFactor: optional(oneOf('registered', 'none')),
    device: optional(oneOf('none', 'registered', 'compliant', 'domainJoined')),
    isAgent: optional(flag()),
  }),
);

const assignmentShape = shapeFor<AssignmentSeed>()(object({ username: text(), roles: list(text()) }));

const optionalClaimShape = shapeFor<OptionalClaim>()(
  object({ name: text(), additionalProperties: optional(list(text())) }),
);

const appShape = shapeFor<AppSeed>()(
  object({
    clientId: guid(),
    objectId: optional(guid()),
    servicePrincipalId: guid("Object id of the app's service principal"),
    displayName: name(),
    redirectUris: list(redirectUriShape),
    multiTenant: optional(flag()),
    secrets: optional(list(clientSecretShape)),
    certificates: optional(list(certificateShape)),
    federatedCredentials: optional(list(federatedCredentialShape)),
    identifierUris: optional(list(text())),
    scopes: optional(list(text())),
    accessTokenVersion: oneOf(1, 2),
    appRoles: optional(list(object({ value: text(), displayName: text() }))),
    assignments: optional(list(assignmentShape)),
    assignmentRequired: optional(flag('A person without an assignment answers AADSTS50105')),
    applicationGrants: optional(list(object({ clientId: guid(), roles: list(text()) }))),
    delegatedPermissions: optional(dictionary(names)),
    groupClaims: optional(flag()),
    idtypClaim: optional(flag()),
    optionalClaims: optional(
      object({
        idToken: optional(list(optionalClaimShape)),
        accessToken: optional(list(optionalClaimShape)),
      }),
    ),
    allowPublicClient: optional(flag()),
    implicitGrant: optional(object({ idTokens: optional(flag()), accessTokens: optional(flag()) })),
    consent: optional(oneOf('assumed', 'required')),
    adminScopes: optional(names),
    preAuthorizedApplications: optional(list(object({ clientId: guid(), scopes: names }))),
    knownClientApplications: optional(list(guid())),
    applicationPermissions: optional(dictionary(names)),
    trustedSubjects: optional(list(object({ subjectName: name(), authorityPem: certificateShape }))),
    frontChannelLogoutUrl: optional(text()),
    enabled: optional(flag('A disabled app answers AADSTS7000112')),
    agentIdentity: optional(object({ blueprintClientId: guid() })),
    onBehalfOfAllowed: optional(flag()),
  }),
);

const policyShape = shapeFor<ConditionalAccessPolicy>()(
  object({
    id: guid(),
    displayName: name(),
    resources: optional(either(list(guid()), oneOf('all'))),
    contexts: optional(list(text<AuthenticationContext>({ pattern: '^c[1-9][0-9]?$', wanted: 'c1 to c99' }))),
    users: optional(list(text())),
    demand: optional(oneOf('mfa', 'compliantDevice', 'domainJoinedDevice', 'block')),
    signInFrequencySeconds: optional(wholeNumber(1)),
  }),
);

const groupShape = shapeFor<GroupSeed>()(
  object({
    objectId: guid(),
    displayName: name(),
    description: optional(text()),
    securityEnabled: optional(flag()),
    mailEnabled: optional(flag()),
  }),
);

const managedIdentityShape = shapeFor<ManagedIdentitySeed>()(
  object({
    kind: oneOf('systemAssigned', 'userAssigned'),
    principalId: guid(),
    clientId: guid(),
    displayName: name(),
    resourceId: text({ pattern: '^/subscriptions/', wanted: 'a path like /subscriptions/…' }),
  }),
);

const keyVaultShape = shapeFor<KeyVaultSeed>()(
  object({
    displayName: name(),
    keys: optional(
      list(
        object({
          name: text({ pattern: '^[0-9A-Za-z-]{1,127}$', wanted: 'letters, digits and hyphens' }),
          keySize: optional(oneOf(2048, 3072, 4096)),
        }),
      ),
    ),
    roleAssignments: list(
      object({
        principalId: guid(),
        role: oneOf(
          'Key Vault Crypto Officer',
          'Key Vault Crypto User',
          'Key Vault Crypto Service Encryption User',
          'Key Vault Reader',
        ),
      }),
    ),
  }),
);

const tenantShape = shapeFor<TenantSeed>()(
  object({
    tenantId: guid(),
    domain: text({ pattern: '^[a-z0-9.-]+\\.[a-z]+$', wanted: 'a domain in lower case' }),
    displayName: name(),
    users: list(userShape),
    apps: list(appShape),
    servicePrincipals: optional(
      list(
        object({
          clientId: guid(),
          servicePrincipalId: guid(),
          assignments: optional(list(assignmentShape)),
        }),
      ),
    ),
    conditionalAccess: optional(list(policyShape)),
    userConsent: optional(oneOf('allowed', 'adminOnly', 'adminRequest')),
    groups: optional(list(groupShape)),
    managedIdentities: optional(list(managedIdentityShape)),
    keyVault: optional(keyVaultShape),
  }),
);

export const seedShape = shapeFor<Seed>()(object({ tenants: list(tenantShape) }));
