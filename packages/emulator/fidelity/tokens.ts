/** What is known of the tokens Entra issues, and of the answer they come in. */
import type { FidelityRow } from './row.ts';

const own = (name: string) => `packages/emulator/src/${name}.integration.test.ts`;
const judge = (name: string) => `test/judges/${name}.test.ts`;

const ACCESS = 'Access token claims reference';
const ID = 'ID token claims reference';
const OPTIONAL = 'Optional claims reference';
const CONTINUOUS = 'How to use continuous access evaluation enabled APIs in your applications';
const MSAL = '@azure/msal-node 7.2.1';
const AGENTS = 'Agent identities, tokens';

export const tokens: readonly FidelityRow[] = [
  {
    behaviour:
      'The resource’s requestedAccessTokenVersion decides the format of an access token, not the endpoint',
    source: 'document',
    reference: 'Access tokens in the Microsoft identity platform',
    test: own('token-endpoint/token-endpoint'),
  },
  {
    behaviour:
      'aud of a v2 token is the API’s client id; of a v1 token the App ID URI as it was spelled, or the GUID with use_guid',
    source: 'document',
    reference: OPTIONAL,
    test: own('tokens'),
  },
  {
    behaviour: 'sub is pairwise: each app sees another one, while oid is the same in the whole tenant',
    source: 'document',
    reference: ACCESS,
    test: own('token-endpoint/token-endpoint'),
  },
  {
    behaviour: 'sub of userinfo is the one of the id token',
    source: 'document',
    reference: 'UserInfo endpoint on the Microsoft identity platform',
    test: judge('openid-client'),
  },
  {
    behaviour: 'Graph’s tokens are v1 and verify for nobody but Graph',
    source: 'capture',
    reference: 'public reports of signature failures; the nonce in the header is hashed before signing',
    test: own('msal'),
  },
  {
    behaviour:
      'roles of an id token are those of the client’s app, of an access token those of the resource’s',
    source: 'document',
    reference: 'Add app roles to your application and receive them in the token',
    test: own('token-endpoint/token-endpoint'),
  },
  {
    behaviour: 'Above 200 groups there are _claim_names and _claim_sources instead of groups',
    source: 'document',
    reference: ID,
    test: own('token-endpoint/token-endpoint'),
  },
  {
    behaviour: 'An app-only token has no scp, sub equals oid, and idtyp only where the API asks for it',
    source: 'document',
    reference: `${OPTIONAL}; that sub equals oid is unverified`,
    test: own('msal'),
  },
  {
    behaviour:
      'azpacr is 0 for a public client, 1 for a secret, 2 for a certificate or a federated assertion',
    source: 'document',
    reference: ACCESS,
    test: judge('msal-node'),
  },
  {
    behaviour: 'Optional claims appear in tokens for the app whose manifest names them',
    source: 'document',
    reference: OPTIONAL,
    test: own('tokens'),
  },
  {
    behaviour: 'sid is in every id token and access token of a person',
    source: 'unverified',
    reference: `${OPTIONAL}: lists it as optional, newer tokens have it anyway`,
    test: own('sign-in'),
  },
  {
    behaviour: 'The optional claim login_hint is opaque and works as login_hint; its form here is our own',
    source: 'document',
    reference: OPTIONAL,
    test: own('tokens'),
  },
  {
    behaviour: 'upn of a guest appears only with include_externally_authenticated_upn',
    source: 'document',
    reference: OPTIONAL,
    test: own('tokens'),
  },
  {
    behaviour:
      'cp1 in claims brings xms_cc and a life of 24 to 28 hours for APIs that can be told of revocations',
    source: 'document',
    reference: CONTINUOUS,
    test: judge('msal-node'),
  },
  {
    behaviour: 'refresh_in comes with long-lived tokens and is half of expires_in',
    source: 'library',
    reference: MSAL,
    test: judge('msal-node'),
  },
  {
    behaviour:
      'acrs lists the contexts that this token was asked for, and a token asked for without has none',
    source: 'unverified',
    reference:
      'Developer guide to authentication context: says only that a satisfied context is in the token',
    test: own('conditional-access'),
  },
  {
    behaviour: 'amr of a v1 token is pwd, and pwd with mfa after a second factor',
    source: 'document',
    reference: `${ACCESS}; the order is unverified`,
    test: own('conditional-access'),
  },
  {
    behaviour: 'wids of Graph’s token lists directory roles, a member’s among them',
    source: 'capture',
    reference: 'public captures of Graph tokens',
    test: own('tokens'),
  },
  {
    behaviour:
      'An agent’s tokens have xms_act_fct 11, xms_sub_fct 11 or 13, and xms_par_app_azp; xms_idrel’s values are believed',
    source: 'unverified',
    reference: AGENTS,
    test: own('tokens'),
  },
  {
    behaviour: 'v1 answers in strings, with expires_on, not_before and resource',
    source: 'document',
    reference: 'Azure AD v1.0 authorization code grant',
    test: own('tokens'),
  },
  {
    behaviour:
      'A v1 id token has the v1 issuer, ver 1.0, upn and amr; Entra’s issuer host is sts.windows.net, ours the emulator’s',
    source: 'document',
    reference: ID,
    test: own('tokens'),
  },
  {
    behaviour: 'A hybrid answer’s id token carries c_hash and at_hash',
    source: 'document',
    reference: ID,
    test: judge('openid-client'),
  },
  {
    behaviour:
      'scope comes back in the spelling it was asked for; for /.default the granted scopes are added',
    source: 'library',
    reference: `${MSAL} finds its cache by it; the addition for /.default is unverified`,
    test: judge('msal-node'),
  },
  {
    behaviour: 'client_info is the account’s home object id and tenant, also of a guest',
    source: 'library',
    reference: MSAL,
    test: own('authorize'),
  },
  {
    behaviour: 'Access tokens live 60 to 90 minutes at random',
    source: 'document',
    reference: 'Configurable token lifetimes',
    test: own('control'),
  },
];
