/**
 * The error codes of Entra ID that an operator of MCP servers meets, in plain words: one row per code, and nothing
 * about them anywhere else. Source: Microsoft's "Microsoft Entra authentication and authorization error codes" and
 * `https://login.microsoftonline.com/error?code=<number>`; rows with `isConfirmed: false` await a check there.
 */

/**
 * What follows from a refusal of Entra.
 *
 * `declined`: the person, or Entra for this person, said no. `interaction`: a new sign-in helps. `operator`: a
 * registration, credential or setting is wrong. `unavailable`: the same request may succeed later.
 */
export type EntraErrorKind = 'declined' | 'interaction' | 'operator' | 'unavailable';

export interface AadstsEntry {
  readonly code: number;
  readonly kind: EntraErrorKind;
  /** What happened. */
  readonly title: string;
  /** What the person who signs in can do. */
  readonly forPerson: string;
  /** What the operator, or a tenant administrator, must do. */
  readonly forOperator: string;
  /** Whether the same request may succeed later although nobody does anything. */
  readonly isRetryable: boolean;
  /** False: written from experience, not yet compared with Microsoft's own page. */
  readonly isConfirmed: boolean;
}

type Row = readonly [code: number, title: string, forPerson: string, forOperator: string];

const askOperator = 'Nothing; tell the operator of this server the code and the time.';
const signInAgain = 'Sign in again.';

const operatorRows: readonly Row[] = [
  [
    9010010,
    'The resource asked for is not the application of the scopes',
    askOperator,
    'Register the exact resource URL as an Application ID URI (no trailing slash, tokens of version 2) and ask only for scopes of that application; or do not send `resource` to Entra at all, as the gateway does.',
  ],
  [
    901002,
    'Entra does not accept the `resource` parameter here',
    askOperator,
    'Leave `resource` out and name the resource in the scope: `api://…/scope`.',
  ],
  [
    90009,
    'The application asks for a token for itself',
    askOperator,
    'Write the scope with the client id (`<client id>/scope`), or use separate registrations for client and API.',
  ],
  [
    650053,
    'The scope does not exist at that resource',
    askOperator,
    'Write the scope in full (`api://…/scope`): a bare scope name means Microsoft Graph. Check the spelling under "Expose an API".',
  ],
  [
    90094,
    'An administrator has to consent first',
    'Ask an administrator of your organisation to approve the application.',
    'Open the admin consent page of the tenant for this application and grant the permissions.',
  ],
  [
    90095,
    'A request for consent was sent to an administrator',
    'Wait until an administrator has approved it, then sign in again.',
    'Review the pending request under "Admin consent requests" in the Entra admin center.',
  ],
  [
    50011,
    'The redirect URI is not registered',
    askOperator,
    'Register the redirect URI exactly as sent, on the right platform: "Web" for the gateway, "Mobile and desktop" with http://localhost for local clients.',
  ],
  [
    500112,
    'The redirect URI differs from the one used to sign in',
    askOperator,
    'Send the same `redirect_uri` to the authorize and token endpoints; check a proxy that rewrites the public URL.',
  ],
  [500113, 'The application has no redirect URI', askOperator, 'Register the redirect URI of the callback.'],
  [
    700016,
    'The application is unknown in this tenant',
    askOperator,
    'Compare client id, tenant id and cloud; in another tenant an administrator has to consent to the application first.',
  ],
  [
    500011,
    'The resource is unknown in this tenant',
    askOperator,
    'Check the Application ID URI, and create the service principal of the API in this tenant.',
  ],
  [
    50194,
    'A single-tenant application was used through /common',
    askOperator,
    'Use the authority of the tenant.',
  ],
  [
    90002,
    'The tenant was not found',
    askOperator,
    'Check the tenant id, and that the cloud is the right one.',
  ],
  [
    7000215,
    'The client secret is wrong',
    askOperator,
    'Use the *value* of the secret rather than its id, and the secret of this application. Better: a managed identity or a certificate.',
  ],
  [
    7000222,
    'The client secret has expired',
    askOperator,
    'Make a new secret and configure it. Better: a managed identity or a certificate, which need no rotation by hand.',
  ],
  [
    7000218,
    'A client secret or assertion is missing',
    askOperator,
    'Configure a credential; for a public client set "Allow public client flows", or register the redirect under "Mobile and desktop".',
  ],
  [
    700025,
    'A public client sent a credential',
    askOperator,
    'Remove the credential, or move the redirect URI to the "Web" platform.',
  ],
  [
    700027,
    'The client assertion does not verify',
    askOperator,
    'Check that this certificate is uploaded to the application, the assertion names its SHA-256 thumbprint and the token endpoint, and the clock is right.',
  ],
  [
    70021,
    'No federated credential matches the assertion',
    askOperator,
    'Compare issuer, subject and audience of the federated credential with the claims of the identity token; the subject of a managed identity is its object id. A new one takes minutes to work.',
  ],
  [
    700213,
    'No federated credential matches the subject of the assertion',
    askOperator,
    'Compare the subject, letter by letter: for a managed identity it is the object (principal) id, not the client id.',
  ],
  [
    700229,
    "A person's token was used as federated credential",
    askOperator,
    'Use the token of a managed identity or another application as client assertion.',
  ],
  [
    50013,
    'The assertion does not verify',
    askOperator,
    'For the on-behalf-of flow the token must be meant for this API, unexpired, and of the version the API asks for.',
  ],
  [
    500131,
    'The assertion is meant for another application',
    askOperator,
    'The token given on behalf of a person must have this application as audience.',
  ],
  [
    7000114,
    'The application may not use the on-behalf-of flow',
    askOperator,
    "Use a confidential client and a person's token; an application's own token is not accepted.",
  ],
  [
    9002313,
    'The request is malformed',
    askOperator,
    'Send the parameters form-encoded, each once, with their right names.',
  ],
  [
    900144,
    'A parameter is missing in the request body',
    askOperator,
    'Send the parameter that the message names, in the form body.',
  ],
  [
    70011,
    'The scope is not valid',
    askOperator,
    'Check spelling and form of the scopes; client credentials need `<resource>/.default`.',
  ],
  [
    700022,
    'Scopes of several resources were asked for at once',
    askOperator,
    'Ask for the scopes of one resource per token request.',
  ],
  [
    28000,
    'The scope names more than one resource',
    askOperator,
    'Ask for the scopes of one resource per token request.',
  ],
  [1002012, 'Client credentials need the .default scope', askOperator, 'Ask for `<resource>/.default`.'],
  [
    9002325,
    'PKCE is required for this redirect URI',
    askOperator,
    'Send a code challenge; or register the redirect under "Web" when a server redeems the code.',
  ],
  [
    9002326,
    'A cross-origin redemption came from a redirect that is no single-page app',
    askOperator,
    'Register the redirect URI under "Single-page application", or redeem the code from a server.',
  ],
  [
    9002327,
    'A single-page app code was redeemed by a server',
    askOperator,
    'Register the redirect URI under "Web": codes of single-page redirects are redeemed in the browser only.',
  ],
  [
    50049,
    'The authority is unknown',
    askOperator,
    'Check the cloud; a private authority has to be listed as known.',
  ],
];

const declinedRows: readonly Row[] = [
  [
    65004,
    'Consent was declined',
    'Sign in again and accept, if you want the client to have access.',
    'Nothing, unless people decline because the permissions look too wide.',
  ],
  [
    50105,
    'This account is not assigned to the application',
    'Ask your administrator for access to the application.',
    'Assign the person or a group to the enterprise application, with the right app role.',
  ],
  [
    50020,
    'This account is not a member of the tenant',
    'Sign in with an account of the organisation.',
    'Invite the account as guest, or allow its tenant.',
  ],
  [
    90072,
    'This account is not a member of the tenant',
    'Sign in with an account of the organisation, or sign out of the other one first.',
    'Invite the account as guest, or allow its tenant.',
  ],
];

const interactionRows: readonly Row[] = [
  [
    65001,
    'Consent to the application is missing',
    'Sign in again and accept what the application asks for.',
    'Grant admin consent, or list the client under "Authorized client applications" of the API.',
  ],
  [500133, 'The assertion has expired', signInAgain, 'Check the clock; otherwise nothing.'],
  [
    50076,
    'Multi-factor authentication is required',
    'Sign in again and complete the second step.',
    'Nothing: a Conditional Access policy asks for it.',
  ],
  [
    50079,
    'Multi-factor authentication has to be set up',
    'Sign in again and register a second factor.',
    'Nothing: a policy asks for it.',
  ],
  [
    50158,
    'An external check has to be passed',
    'Sign in again and complete the additional step.',
    'Nothing: a Conditional Access policy asks for it.',
  ],
  [
    53003,
    'Conditional Access blocks this sign-in',
    'Sign in again from a device and network that your organisation allows; otherwise ask your administrator.',
    'Look up the correlation id in the sign-in log: it names the policy. Device code sign-in is often blocked altogether.',
  ],
  [
    530003,
    'The device has to be managed by the organisation',
    'Sign in from a device that is registered with your organisation.',
    'Look up the correlation id in the sign-in log: it names the policy.',
  ],
  [50173, 'The sign-in was revoked', signInAgain, 'Nothing: the password changed, or sessions were revoked.'],
  [
    700082,
    'The sign-in was not used for too long',
    signInAgain,
    'Nothing: refresh tokens end after 90 days without use.',
  ],
  [70008, 'The sign-in has expired', signInAgain, 'Nothing: code or refresh token expired or was revoked.'],
  [
    70043,
    'Your organisation asks for a new sign-in',
    signInAgain,
    'Nothing: the sign-in frequency of Conditional Access has passed.',
  ],
  [50089, 'The sign-in took too long', signInAgain, 'Nothing.'],
  [
    54005,
    'The code was already used',
    signInAgain,
    'If it recurs: look for a callback that is sent twice, or instances that do not share the store.',
  ],
  [
    501481,
    'The code verifier does not match',
    signInAgain,
    'If it recurs: instances that do not share the store mix up sign-ins.',
  ],
  [
    70019,
    'The device code has expired',
    'Start the sign-in again and enter the new code in time.',
    'Nothing.',
  ],
  [70018, 'The device code is wrong', 'Start the sign-in again and enter the code as shown.', 'Nothing.'],
  [
    50058,
    'There is no session for a silent sign-in',
    signInAgain,
    'Nothing: a silent attempt has to be followed by an interactive one.',
  ],
];

const unavailableRows: readonly Row[] = [
  [
    50196,
    'The application repeats the same request in a loop',
    'Wait a few minutes, then try again.',
    'Cache tokens and back off: Entra blocks a client that asks again and again.',
  ],
  [
    90055,
    'Entra received too many requests',
    'Wait a moment, then try again.',
    'Honour Retry-After; look for a client that asks too often.',
  ],
  [70016, 'The device sign-in is not finished yet', 'Finish the sign-in in the browser.', 'Nothing.'],
];

const unconfirmed: ReadonlySet<number> = new Set([
  650053, 500112, 500113, 70021, 700213, 500131, 530003, 28000, 1002012, 9002325, 9002326, 9002327,
]);

const entriesOf = (kind: EntraErrorKind, rows: readonly Row[]): AadstsEntry[] =>
  rows.map(([code, title, forPerson, forOperator]) => ({
    code,
    kind,
    title,
    forPerson,
    forOperator,
    isRetryable: kind === 'unavailable',
    isConfirmed: !unconfirmed.has(code),
  }));

/** All codes we can explain, in ascending order. */
export const aadstsEntries: readonly AadstsEntry[] = [
  ...entriesOf('operator', operatorRows),
  ...entriesOf('declined', declinedRows),
  ...entriesOf('interaction', interactionRows),
  ...entriesOf('unavailable', unavailableRows),
].toSorted((a, b) => a.code - b.code);
