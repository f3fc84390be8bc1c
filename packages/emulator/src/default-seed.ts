/** The tenant the emulator starts with when no seed is given: one person per case an operator meets. */
import {
  type AppSeed,
  GRAPH_CLIENT_ID,
  graphApp,
  keyVaultApp,
  resourceManagerApp,
  type Seed,
  type TenantSeed,
  type UserSeed,
} from './seed.ts';

export const CONTOSO_TENANT_ID = '5c8a1d2e-0f3b-4c6d-9e7f-102938475610';
export const CONTOSO_DOMAIN = 'contoso.example';

/** The gateway's confidential client. */
export const GATEWAY_CLIENT_ID = '31b2c4d6-1a2b-4c3d-8e5f-a1b2c3d4e5f6';
export const GATEWAY_CLIENT_SECRET = 'emulated~gateway~secret~not~for~production';
/** The managed identity whose tokens the gateway's app accepts as its credential. */
export const GATEWAY_IDENTITY_PRINCIPAL_ID = '77aa88bb-99cc-4ddd-8eee-ff0011223344';

export const GATEWAY_IDENTITY_CLIENT_ID = '75f60818-5e6f-4071-8293-e5f60718293a';
/** The service account of Kubernetes whose tokens the gateway's app accepts as its credential. */
const GATEWAY_SERVICE_ACCOUNT = 'system:serviceaccount:valetkey:gateway';

/** The identity an App Service or a machine has of its own. */
export const SYSTEM_IDENTITY_PRINCIPAL_ID = '97b82a3c-7081-4293-a4b5-0718293a4b5c';
const RESOURCE_GROUP = '/subscriptions/a8c93b4d-8192-43a4-b5c6-18293a4b5c6d/resourcegroups/contoso/providers';

/** A daemon with application permissions on Graph, and an officer of the vault. */
export const AUTOMATION_CLIENT_ID = '64e5f709-4d5e-4f60-b182-d4e5f6071829';
export const AUTOMATION_CLIENT_SECRET = 'emulated~automation~secret~not~for~production';

/** An MCP server registered in Entra directly, with the App ID URI the `resource` parameter must equal. */
export const SNIPPETS_API_CLIENT_ID = '42c3d5e7-2b3c-4d4e-9f60-b2c3d4e5f607';
export const SNIPPETS_API_URI = 'https://mcp.contoso.example/snippets/mcp';

/** A multi-tenant web app that asks for consent. */
export const PLANNER_CLIENT_ID = 'a7b80c9d-6f70-4182-93a4-f60718293a4c';
export const PLANNER_CLIENT_SECRET = 'emulated~planner~secret~not~for~production';

/** An API behind a policy that demands a second factor; its only scope is `payroll.read`. */
export const PAYROLL_API_CLIENT_ID = 'b8c91dae-7081-4293-a4b5-0718293a4b5d';

/** Partner, the tenant that the guest belongs to. */
export const PARTNER_TENANT_ID = '6d9b2e3f-1a4c-4d7e-8f80-213a4b5c6d72';
export const PARTNER_DOMAIN = 'partner.example';

/** A public client, as a desktop MCP client is one. */
export const DESKTOP_CLIENT_ID = '53d4e6f8-3c4d-4e5f-a071-c3d4e5f60718';

const OVERAGE_GROUP_COUNT = 250;

function groupIds(count: number): readonly string[] {
  return Array.from(
    { length: count },
    (_, index) => `70000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`,
  );
}

function member(name: string, objectId: string, hint: string, more: Partial<UserSeed> = {}): UserSeed {
  const [givenName = name, surname = name] = name.split(' ');
  const username = `${givenName.toLowerCase()}@${CONTOSO_DOMAIN}`;
  const password = `${givenName}-Passw0rd`;
  return {
    objectId,
    username,
    password,
    displayName: name,
    givenName,
    surname,
    mail: username,
    hint,
    ...more,
  };
}

const users: readonly UserSeed[] = [
  member('Rita Reader', '10000000-0000-4000-8000-000000000001', 'Snippets.Reader', {
    jobTitle: 'Reader',
    groups: groupIds(2),
  }),
  member('Walt Writer', '10000000-0000-4000-8000-000000000002', 'Snippets.Reader, Snippets.Writer', {
    jobTitle: 'Writer',
    groups: groupIds(3),
  }),
  member('Ada Administrator', '10000000-0000-4000-8000-000000000003', 'All three roles', {
    isAdmin: true,
    jobTitle: 'Administrator',
    groups: groupIds(4),
  }),
  member('Gus Guest', '10000000-0000-4000-8000-000000000004', 'Guest with Snippets.Reader', {
    username: 'gus@partner.example',
    mail: 'gus@partner.example',
    guestFrom: {
      tenantId: PARTNER_TENANT_ID,
      objectId: '20000000-0000-4000-8000-000000000004',
    },
  }),
  member('Dora Disabled', '10000000-0000-4000-8000-000000000005', 'Account disabled', { enabled: false }),
  member('Otto Overage', '10000000-0000-4000-8000-000000000006', 'Snippets.Reader, more than 200 groups', {
    groups: groupIds(OVERAGE_GROUP_COUNT),
  }),
  member('Nora Norole', '10000000-0000-4000-8000-000000000007', 'No role at all'),
];

const gatewayApp: AppSeed = {
  clientId: GATEWAY_CLIENT_ID,
  servicePrincipalId: '31b2c4d6-5555-4c3d-8e5f-000000000001',
  displayName: 'Valetkey gateway',
  redirectUris: [{ uri: 'http://localhost/auth/callback', platform: 'web' }],
  secrets: [{ value: GATEWAY_CLIENT_SECRET }],
  certificates: [],
  federatedCredentials: [
    { issuer: '{issuer}', subject: GATEWAY_IDENTITY_PRINCIPAL_ID, audience: 'api://AzureADTokenExchange' },
    { issuer: '{cluster}', subject: GATEWAY_SERVICE_ACCOUNT, audience: 'api://AzureADTokenExchange' },
  ],
  identifierUris: [`api://${GATEWAY_CLIENT_ID}`],
  scopes: ['access_as_user'],
  accessTokenVersion: 2,
  appRoles: [
    { value: 'Snippets.Reader', displayName: 'Reads snippets' },
    { value: 'Snippets.Writer', displayName: 'Writes snippets' },
    { value: 'Snippets.Admin', displayName: 'Administers snippets' },
  ],
  assignments: [
    { username: 'rita@contoso.example', roles: ['Snippets.Reader'] },
    { username: 'walt@contoso.example', roles: ['Snippets.Reader', 'Snippets.Writer'] },
    { username: 'ada@contoso.example', roles: ['Snippets.Reader', 'Snippets.Writer', 'Snippets.Admin'] },
    { username: 'gus@partner.example', roles: ['Snippets.Reader'] },
    { username: 'dora@contoso.example', roles: ['Snippets.Reader'] },
    { username: 'otto@contoso.example', roles: ['Snippets.Reader'] },
  ],
  delegatedPermissions: { [GRAPH_CLIENT_ID]: ['User.Read', 'GroupMember.Read.All'] },
  groupClaims: true,
};

const snippetsApi: AppSeed = {
  clientId: SNIPPETS_API_CLIENT_ID,
  servicePrincipalId: '42c3d5e7-5555-4d4e-9f60-000000000002',
  displayName: 'Snippets MCP server',
  redirectUris: [],
  identifierUris: [SNIPPETS_API_URI],
  scopes: ['snippets.use'],
  accessTokenVersion: 2,
  idtypClaim: true,
  appRoles: [
    { value: 'Snippets.Reader', displayName: 'Reads snippets' },
    { value: 'Snippets.Service', displayName: 'Calls as a service' },
  ],
  assignments: [{ username: 'rita@contoso.example', roles: ['Snippets.Reader'] }],
  applicationGrants: [{ clientId: GATEWAY_CLIENT_ID, roles: ['Snippets.Service'] }],
};

const desktopApp: AppSeed = {
  clientId: DESKTOP_CLIENT_ID,
  servicePrincipalId: '53d4e6f8-5555-4e5f-a071-000000000003',
  displayName: 'Desktop MCP client',
  redirectUris: [{ uri: 'http://localhost', platform: 'publicClient' }],
  accessTokenVersion: 2,
  delegatedPermissions: { [GRAPH_CLIENT_ID]: ['User.Read'], [SNIPPETS_API_CLIENT_ID]: ['snippets.use'] },
};

const partnerUsers: readonly UserSeed[] = [
  member('Gus Guest', '20000000-0000-4000-8000-000000000004', 'At home here, a guest at Contoso', {
    username: 'gus@partner.example',
    mail: 'gus@partner.example',
  }),
  member(
    'Pia Partner',
    '20000000-0000-4000-8000-000000000005',
    'Administrator of Partner, unknown to Contoso',
    {
      username: 'pia@partner.example',
      mail: 'pia@partner.example',
      isAdmin: true,
    },
  ),
];

/** A daemon of the personnel department: what a leaver's story is played with. */
const automationApp: AppSeed = {
  clientId: AUTOMATION_CLIENT_ID,
  servicePrincipalId: '64e5f709-5555-4f60-b182-000000000004',
  displayName: 'Personnel automation',
  redirectUris: [],
  secrets: [{ value: AUTOMATION_CLIENT_SECRET }],
  accessTokenVersion: 2,
};

const graphGrants: AppSeed['applicationGrants'] = [
  {
    clientId: AUTOMATION_CLIENT_ID,
    roles: ['User.ReadWrite.All', 'GroupMember.Read.All', 'Application.Read.All', 'User.RevokeSessions.All'],
  },
];

/** Everybody's app: asks for consent, and people of any tenant may sign in to it. */
const plannerApp: AppSeed = {
  clientId: PLANNER_CLIENT_ID,
  servicePrincipalId: 'a7b80c9d-5555-4e5f-a071-000000000008',
  displayName: 'Planner',
  redirectUris: [{ uri: 'http://localhost/signin-oidc', platform: 'web' }],
  multiTenant: true,
  consent: 'required',
  secrets: [{ value: PLANNER_CLIENT_SECRET }],
  accessTokenVersion: 2,
  delegatedPermissions: { [GRAPH_CLIENT_ID]: ['User.Read'] },
};

/** An API that nobody reaches without a second factor. */
const payrollApi: AppSeed = {
  clientId: PAYROLL_API_CLIENT_ID,
  servicePrincipalId: 'b8c91dae-5555-4f60-8172-000000000009',
  displayName: 'Payroll API',
  redirectUris: [],
  identifierUris: [`api://${PAYROLL_API_CLIENT_ID}`],
  scopes: ['payroll.read'],
  accessTokenVersion: 2,
};

/** Who asks for none of these meets none of them: the second is for claims challenges with `acrs`. */
const conditionalAccess: TenantSeed['conditionalAccess'] = [
  {
    id: '9d3e5a10-7c21-4b6f-8e94-3f0a1b2c4d51',
    displayName: 'Payroll needs a second factor',
    resources: [PAYROLL_API_CLIENT_ID],
    demand: 'mfa',
  },
  {
    id: '9d3e5a10-7c21-4b6f-8e94-3f0a1b2c4d52',
    displayName: 'Authentication context c1 needs a second factor',
    contexts: ['c1'],
    demand: 'mfa',
  },
  {
    id: '9d3e5a10-7c21-4b6f-8e94-3f0a1b2c4d53',
    displayName: 'Authentication context c2 needs a compliant device',
    contexts: ['c2'],
    demand: 'compliantDevice',
  },
];

const managedIdentities: TenantSeed['managedIdentities'] = [
  {
    kind: 'userAssigned',
    principalId: GATEWAY_IDENTITY_PRINCIPAL_ID,
    clientId: GATEWAY_IDENTITY_CLIENT_ID,
    displayName: 'gateway-identity',
    resourceId: `${RESOURCE_GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/gateway-identity`,
  },
  {
    kind: 'systemAssigned',
    principalId: SYSTEM_IDENTITY_PRINCIPAL_ID,
    clientId: '86a7192b-6f70-4182-93a4-f60718293a4b',
    displayName: 'snippets-app',
    resourceId: `${RESOURCE_GROUP}/Microsoft.Web/sites/snippets-app`,
  },
];

const keyVault: TenantSeed['keyVault'] = {
  displayName: 'contoso-vault',
  keys: [{ name: 'gateway-key' }],
  roleAssignments: [
    { principalId: GATEWAY_IDENTITY_PRINCIPAL_ID, role: 'Key Vault Crypto User' },
    { principalId: gatewayApp.servicePrincipalId, role: 'Key Vault Crypto User' },
    { principalId: automationApp.servicePrincipalId, role: 'Key Vault Crypto Officer' },
    { principalId: SYSTEM_IDENTITY_PRINCIPAL_ID, role: 'Key Vault Crypto Service Encryption User' },
  ],
};

export const defaultSeed: Seed = {
  tenants: [
    {
      tenantId: CONTOSO_TENANT_ID,
      domain: CONTOSO_DOMAIN,
      displayName: 'Contoso',
      users,
      apps: [
        gatewayApp,
        snippetsApi,
        desktopApp,
        automationApp,
        { ...graphApp, applicationGrants: graphGrants },
        keyVaultApp,
        resourceManagerApp,
        plannerApp,
        payrollApi,
      ],
      conditionalAccess,
      managedIdentities,
      keyVault,
    },
    {
      tenantId: PARTNER_TENANT_ID,
      domain: PARTNER_DOMAIN,
      displayName: 'Partner',
      users: partnerUsers,
      apps: [graphApp],
    },
  ],
};
