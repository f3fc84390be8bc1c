/** What is known of signing in at Entra: authorize, pages, grants, client authentication, Conditional Access. */
import type { FidelityRow } from './row.ts';

const own = (name: string) => `packages/emulator/src/${name}.integration.test.ts`;
const judge = (name: string) => `test/judges/${name}.test.ts`;

const AUTH_CODE = 'Microsoft identity platform and OAuth 2.0 authorization code flow';
const DEVICE = 'Microsoft identity platform and the OAuth 2.0 device authorization grant flow';
const ON_BEHALF_OF = 'Microsoft identity platform and OAuth 2.0 On-Behalf-Of flow';
const CODES = 'Microsoft Entra authentication and authorization error codes';
const CONDITIONAL = 'Developer guidance for Microsoft Entra Conditional Access';
const PROTOCOL = 'OpenID Connect on the Microsoft identity platform';
const ADMIN_CONSENT = 'Admin consent on the Microsoft identity platform';
const REDIRECTS = 'Redirect URI (reply URL) best practices and limitations';
const AGENTS = 'Agent identities, tokens';
const MEMORY = 'none';

export const signIn: readonly FidelityRow[] = [
  {
    behaviour: 'An unknown client, tenant or redirect URI stays on Entra’s page and never redirects',
    source: 'document',
    reference: AUTH_CODE,
    test: own('authorize'),
  },
  {
    behaviour:
      'The port of http://localhost and http://127.0.0.1 is ignored, the path is compared with its case',
    source: 'document',
    reference: REDIRECTS,
    test: 'packages/emulator/src/redirect-uri.test.ts',
  },
  {
    behaviour: 'A redirect URI without a path comes back with a trailing slash in query and fragment',
    source: 'document',
    reference: REDIRECTS,
    test: own('authorize'),
  },
  {
    behaviour: 'form_post is a page that posts itself, with a button for browsers without script',
    source: 'library',
    reference: '@azure/msal-node 7.2.1: interactive sign-in accepts nothing else',
    test: judge('msal-node'),
  },
  {
    behaviour: 'prompt=none without a session is login_required with AADSTS50058',
    source: 'document',
    reference: AUTH_CODE,
    test: own('authorize'),
  },
  {
    behaviour:
      'prompt=select_account, login and consent show a page though there is a session; login wants the password',
    source: 'document',
    reference: AUTH_CODE,
    test: own('authorize'),
  },
  {
    behaviour: 'prompt=none without consent is interaction_required with AADSTS65001 on the redirect URI',
    source: 'unverified',
    reference: MEMORY,
    test: own('error-codes'),
  },
  {
    behaviour: 'domain_hint narrows the accounts to one domain; a hint that is nobody’s domain is ignored',
    source: 'unverified',
    reference: `${AUTH_CODE}: says only that the hint skips home realm discovery`,
    test: own('sign-in'),
  },
  {
    behaviour:
      'At /common and /organizations everybody signs in to the tenant they belong to; single-tenant apps get AADSTS50194',
    source: 'document',
    reference: CODES,
    test: own('sign-in'),
  },
  {
    behaviour:
      'A guest signs in at the inviting tenant with the account it has at home, and has another oid there',
    source: 'document',
    reference: 'Access token claims reference: oid, idp',
    test: own('sign-in'),
  },
  {
    behaviour:
      'An account the tenant does not know is AADSTS50020 at the page and AADSTS90072 for its refresh token',
    source: 'document',
    reference: `${CODES}; that refresh tokens get 90072 is unverified`,
    test: own('error-codes'),
  },
  {
    behaviour: 'Ten wrong passwords lock the account (AADSTS50053)',
    source: 'document',
    reference: 'Microsoft Entra smart lockout; the time it lasts is not emulated',
    test: own('sign-in'),
  },
  {
    behaviour:
      'A single-page app needs PKCE (9002325), redeems only with Origin (9002327), and nobody else may have one (9002326)',
    source: 'document',
    reference: AUTH_CODE,
    test: own('error-codes'),
  },
  {
    behaviour: 'A single-page app’s refresh token ends after 24 hours whatever is refreshed: AADSTS700084',
    source: 'document',
    reference: 'Refresh tokens in the Microsoft identity platform; the code from the error code reference',
    test: own('sign-in'),
  },
  {
    behaviour:
      'The token endpoint answers a preflight and allows every origin to read a single-page app’s tokens',
    source: 'unverified',
    reference: `${AUTH_CODE}: says that CORS is allowed, not by which headers`,
    test: own('sign-in'),
  },
  {
    behaviour: 'A public client that sends a secret gets AADSTS700025, a web app without one AADSTS7000218',
    source: 'document',
    reference: CODES,
    test: own('error-codes'),
  },
  {
    behaviour: 'An old refresh token stays valid, and one refresh token serves several resources and tenants',
    source: 'document',
    reference: 'Refresh tokens in the Microsoft identity platform',
    test: judge('msal-node'),
  },
  {
    behaviour:
      'resource is compared as a string with the App ID URIs, at authorize, code and refresh: AADSTS9010010',
    source: 'document',
    reference: 'RFC 8707 resource parameter on the Microsoft identity platform (2026-09)',
    test: judge('mcp-client'),
  },
  {
    behaviour: 'resource at /consumers is AADSTS901002',
    source: 'unverified',
    reference: MEMORY,
    test: own('error-codes'),
  },
  {
    behaviour:
      'Client assertions: PS256 or RS256, x5t#S256 or x5t, ten minutes at most, five minutes of clock skew',
    source: 'document',
    reference: 'Certificate credentials; the skew is unverified',
    test: own('client-auth'),
  },
  {
    behaviour: 'A certificate by subject name and issuer comes along in x5c and need not be registered',
    source: 'library',
    reference: '@azure/msal-node 7.2.1: clientCertificate.x5c',
    test: judge('msal-node'),
  },
  {
    behaviour:
      'Federated credentials compare issuer, subject and audience exactly, each with its own code (700211, 700213, 700212)',
    source: 'document',
    reference: 'Workload identity federation; the codes from public reports',
    test: own('client-auth'),
  },
  {
    behaviour:
      'Device code: both grant names are understood, pending is authorization_pending with AADSTS70016',
    source: 'library',
    reference: '@azure/msal-node 7.2.1 sends device_code, @azure/identity and openid-client the URN',
    test: own('device-code'),
  },
  {
    behaviour: 'An expired device code is expired_token with AADSTS70020',
    source: 'capture',
    reference:
      'github.com/Azure/azure-cli issue 22251 for the code; the OAuth error from the device flow’s document',
    test: own('device-code'),
  },
  {
    behaviour: 'An unknown device code is bad_verification_code; its number 70018 is a guess',
    source: 'unverified',
    reference: DEVICE,
    test: own('device-code'),
  },
  {
    behaviour: 'A declined device is authorization_declined; its number 65004 is a guess',
    source: 'unverified',
    reference: DEVICE,
    test: own('device-code'),
  },
  {
    behaviour: 'A device code is good for one redemption; AADSTS54005 afterwards',
    source: 'unverified',
    reference: MEMORY,
    test: own('device-code'),
  },
  {
    behaviour:
      'On-behalf-of refuses an assertion for another audience (500131), an expired one (500133), a broken one (50013)',
    source: 'document',
    reference: CODES,
    test: own('token-endpoint/on-behalf-of'),
  },
  {
    behaviour: 'On-behalf-of refuses an app-only assertion; that its code is 7000114 is believed',
    source: 'unverified',
    reference: `${ON_BEHALF_OF}: says only that it is not supported`,
    test: own('token-endpoint/on-behalf-of'),
  },
  {
    behaviour: 'Conditional Access downstream answers on-behalf-of with interaction_required and claims',
    source: 'document',
    reference: ON_BEHALF_OF,
    test: judge('msal-node'),
  },
  {
    behaviour:
      'A missing second factor at refresh is invalid_grant, suberror basic_action, claims with capolids',
    source: 'capture',
    reference: 'github.com/AzureAD/microsoft-authentication-library-for-js issue 5491',
    test: own('conditional-access'),
  },
  {
    behaviour:
      'An authentication context in claims is judged by its policy, and shows as acrs in the new token',
    source: 'document',
    reference: CONDITIONAL,
    test: judge('msal-node'),
  },
  {
    behaviour: 'A refusal for an authentication context repeats the context in its claims beside the policy',
    source: 'unverified',
    reference: MEMORY,
    test: own('conditional-access'),
  },
  {
    behaviour: 'Sign-in frequency is AADSTS70043 for a refresh token and 70044 for a session',
    source: 'document',
    reference: `${CODES}; their OAuth errors and suberror are unverified`,
    test: own('conditional-access'),
  },
  {
    behaviour:
      'A block (53003) and an unmanaged device (530003, 53000, 53001) stay on the page, and are interaction_required with message_only elsewhere',
    source: 'unverified',
    reference: `${CODES}: codes and words only`,
    test: own('conditional-access'),
  },
  {
    behaviour: 'Missing consent is AADSTS65001, invalid_grant with suberror consent_required',
    source: 'library',
    reference: '@azure/msal-node 7.2.1: InteractionRequiredAuthError',
    test: judge('msal-node'),
  },
  {
    behaviour: 'Permissions for administrators are AADSTS90094, and 90095 where a request can be sent',
    source: 'document',
    reference: CODES,
    test: own('consent'),
  },
  {
    behaviour:
      'Admin consent comes back with admin_consent=True, tenant and scope; declined as consent_required with error_subcode cancel',
    source: 'document',
    reference: `${ADMIN_CONSENT}; the subcode is unverified`,
    test: own('consent'),
  },
  {
    behaviour:
      'One consent covers the APIs that know the client (knownClientApplications); pre-authorized clients never ask',
    source: 'document',
    reference: ON_BEHALF_OF,
    test: own('consent'),
  },
  {
    behaviour:
      'A multi-tenant app without a service principal in the tenant is AADSTS700016 for client credentials',
    source: 'document',
    reference: CODES,
    test: own('consent'),
  },
  {
    behaviour: 'Sign-out calls front-channel URLs with iss and sid, then returns to a registered address',
    source: 'document',
    reference: PROTOCOL,
    test: own('sign-in'),
  },
  {
    behaviour: 'The password grant: AADSTS50126, 50034, 50076 and 65001 instead of pages',
    source: 'document',
    reference: 'Microsoft identity platform and OAuth 2.0 Resource Owner Password Credentials',
    test: own('sign-in'),
  },
  {
    behaviour: 'An agent identity signs in its user in three steps: fmi_path, federated assertion, user_fic',
    source: 'library',
    reference: `@azure/msal-node 7.2.1: acquireTokenByUserFederatedIdentityCredential; the subject’s form from ${AGENTS}, unverified; refusals unverified`,
    test: judge('msal-node'),
  },
  {
    behaviour: 'Claims that are no JSON object are AADSTS90023',
    source: 'unverified',
    reference: MEMORY,
    test: own('conditional-access'),
  },
  {
    behaviour: 'v1 without resource for client credentials is AADSTS90014',
    source: 'unverified',
    reference: MEMORY,
    test: own('error-codes'),
  },
  {
    behaviour: 'Discovery leaves out code_challenge_methods_supported and registration_endpoint',
    source: 'capture',
    reference: 'a tenant’s openid-configuration, 2026-07',
    test: judge('openid-client'),
  },
  {
    behaviour:
      'Discovery announces self_signed_tls_client_auth and mtls aliases at Entra; the emulator does not, and has no mutual TLS',
    source: 'capture',
    reference: 'a tenant’s openid-configuration, 2026-07',
    test: own('emulator'),
  },
  {
    behaviour:
      'Tokens come from the authorize endpoint only where the app allows it (700054, 700051), never in a query (70007)',
    source: 'document',
    reference: `${PROTOCOL}; which code a missing nonce gets is unverified`,
    test: judge('openid-client'),
  },
];
