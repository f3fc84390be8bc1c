/** The tenant the emulator starts with when no seed is given: one person per case an operator meets. */
import { type AppSeed, GRAPH_CLIENT_ID, graphApp, type Seed, type UserSeed } from './seed.ts';

export const CONTOSO_TENANT_ID = '5c8a1d2e-0f3b-4c6d-9e7f-102938475610';
export const CONTOSO_DOMAIN = 'contoso.example';

/** The gateway's confidential client. */
export const GATEWAY_CLIENT_ID = '31b2c4d6-1a2b-4c3d-8e5f-a1b2c3d4e5f6';
export const GATEWAY_CLIENT_SECRET = 'emulated~gateway~secret~not~for~production';
/** The managed identity whose tokens the gateway's app accepts as its credential. */
export const GATEWAY_IDENTITY_PRINCIPAL_ID = '77aa88bb-99cc-4ddd-8eee-ff0011223344';

/** An MCP server registered in Entra directly, with the App ID URI the `resource` parameter must equal. */
export const SNIPPETS_API_CLIENT_ID = '42c3d5e7-2b3c-4d4e-9f60-b2c3d4e5f607';
export const SNIPPETS_API_URI = 'https://mcp.contoso.example/snippets/mcp';

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
    jobTitle: 'Administrator',
    groups: groupIds(4),
  }),
  member('Gus Guest', '10000000-0000-4000-8000-000000000004', 'Guest with Snippets.Reader', {
    username: 'gus@partner.example',
    mail: 'gus@partner.example',
    guestFrom: {
      tenantId: '6d9b2e3f-1a4c-4d7e-8f80-213a4b5c6d72',
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

export const defaultSeed: Seed = {
  tenants: [
    {
      tenantId: CONTOSO_TENANT_ID,
      domain: CONTOSO_DOMAIN,
      displayName: 'Contoso',
      users,
      apps: [gatewayApp, snippetsApi, desktopApp, graphApp],
    },
  ],
};
