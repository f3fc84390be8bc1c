/**
 * Every AADSTS code the emulator answers, one row each: its status, its OAuth error, its words. Data only.
 * A row marked `unsure` was written from memory of the real service, not seen on the wire.
 */

export interface ErrorRow {
  readonly status: number;
  readonly error: string;
  readonly text: string;
  readonly suberror?: string;
  /** At the authorize endpoint Entra shows this one on its own page and never sends it to the redirect URI. */
  readonly page?: true;
  readonly unsure?: true;
  /** Comes only when the control plane asks for it: no request can provoke it here. Says why. */
  readonly faultOnly?: string;
}

export const errorRows: Readonly<Record<number, ErrorRow>> = {
  28000: {
    status: 400,
    error: 'invalid_request',
    text: 'Provided value for the input parameter scope is not valid because it contains more than one resource. Scope {scope} is not valid.',
    unsure: true,
  },
  50000: {
    status: 500,
    error: 'server_error',
    text: 'There was an error issuing a token or an issue with our sign-in service.',
    faultOnly: 'the emulator never fails like this on purpose',
  },
  50011: {
    status: 400,
    error: 'invalid_request',
    text: "The redirect URI '{redirectUri}' specified in the request does not match the redirect URIs configured for the application '{clientId}'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal.",
    page: true,
  },
  50013: {
    status: 400,
    error: 'invalid_grant',
    text: 'Assertion failed signature validation. [Reason - {reason}]',
  },
  50020: {
    status: 400,
    error: 'invalid_request',
    text: "User account '{username}' does not exist in tenant '{tenant}' and cannot access the application '{clientId}' in that tenant. The account needs to be added as an external user in the tenant first.",
    page: true,
  },
  50027: { status: 401, error: 'invalid_client', text: 'JWT token is invalid or malformed.', unsure: true },
  50034: {
    status: 400,
    error: 'invalid_grant',
    text: 'The user account {username} does not exist in the {tenant} directory. To sign into this application, the account must be added to the directory.',
  },
  50049: { status: 400, error: 'invalid_instance', text: 'Unknown or invalid instance.' },
  50053: {
    status: 400,
    error: 'invalid_grant',
    text: "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
  },
  50057: { status: 400, error: 'invalid_grant', text: 'The user account is disabled.' },
  50058: {
    status: 400,
    error: 'login_required',
    text: 'Session information is not sufficient for single-sign-on.',
  },
  50059: {
    status: 400,
    error: 'invalid_request',
    text: 'No tenant-identifying information found in either the request or implied by any provided credentials.',
    unsure: true,
  },
  50076: {
    status: 400,
    error: 'interaction_required',
    text: "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '{resource}'.",
    suberror: 'basic_action',
  },
  50079: {
    status: 400,
    error: 'interaction_required',
    text: "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{resource}'.",
    suberror: 'basic_action',
  },
  50089: {
    status: 400,
    error: 'invalid_grant',
    text: 'Authentication failed due to flow token expired.',
    page: true,
  },
  50105: {
    status: 400,
    error: 'interaction_required',
    text: "Your administrator has configured the application {appName} ('{clientId}') to block users unless they are specifically granted ('assigned') access to the application. The signed in user '{username}' is blocked because they are not a direct member of a group with access, nor had access directly assigned by an administrator. Please contact your administrator to assign access to this application.",
    page: true,
  },
  50126: {
    status: 400,
    error: 'invalid_grant',
    text: 'Error validating credentials due to invalid username or password.',
  },
  50158: {
    status: 400,
    error: 'interaction_required',
    text: 'External security challenge not satisfied.',
    suberror: 'basic_action',
    faultOnly: 'custom controls of third parties are not emulated',
  },
  50173: {
    status: 400,
    error: 'invalid_grant',
    text: 'The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.',
  },
  50194: {
    status: 400,
    error: 'invalid_request',
    text: "Application '{clientId}'({appName}) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant.",
    page: true,
  },
  50196: {
    status: 400,
    error: 'invalid_grant',
    text: 'The server terminated an operation because it encountered a client request loop. Please contact your app vendor.',
    faultOnly: 'a test that asks often is no loop',
  },
  53000: {
    status: 400,
    error: 'interaction_required',
    text: 'Device is not in required device state: {state}. Conditional Access policy requires a compliant device, and the device is not compliant. The user must enroll their device with an approved MDM provider like Intune.',
    suberror: 'message_only',
    page: true,
  },
  53001: {
    status: 400,
    error: 'interaction_required',
    text: 'Device is not in required device state: {state}. Conditional Access policy requires a domain joined device, and the device is not domain joined.',
    suberror: 'message_only',
    page: true,
  },
  53003: {
    status: 400,
    error: 'interaction_required',
    text: 'Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.',
    suberror: 'message_only',
    page: true,
  },
  54005: {
    status: 400,
    error: 'invalid_grant',
    text: 'OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.',
  },
  65001: {
    status: 400,
    error: 'invalid_grant',
    text: "The user or administrator has not consented to use the application with ID '{clientId}' named '{appName}'. Send an interactive authorization request for this user and resource.",
    suberror: 'consent_required',
  },
  65004: { status: 400, error: 'access_denied', text: 'User declined to consent to access the app.' },
  70000: { status: 400, error: 'invalid_grant', text: 'Provided grant is invalid or malformed.' },
  70003: {
    status: 400,
    error: 'unsupported_grant_type',
    text: "The app requested an unsupported grant type '{grantType}'.",
  },
  70007: {
    status: 400,
    error: 'invalid_request',
    text: "'{mode}' is not a supported value of 'response_mode' when requesting a token.",
  },
  70008: {
    status: 400,
    error: 'invalid_grant',
    text: 'The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.',
  },
  70011: {
    status: 400,
    error: 'invalid_scope',
    text: "The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid.",
  },
  70016: {
    status: 400,
    error: 'authorization_pending',
    text: 'OAuth 2.0 device flow error. Authorization is pending. Continue polling.',
  },
  70018: {
    status: 400,
    error: 'bad_verification_code',
    text: 'Invalid verification code due to User typing in wrong user code for device code flow. Authorization is not approved.',
    unsure: true,
  },
  70019: {
    status: 400,
    error: 'expired_token',
    text: 'Verification code expired. Have the user retry the sign-in.',
  },
  70020: {
    status: 400,
    error: 'expired_token',
    text: "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
  },
  70043: {
    status: 400,
    error: 'invalid_grant',
    text: 'The refresh token has expired or is invalid due to sign-in frequency checks by conditional access.',
    suberror: 'token_expired',
  },
  70044: {
    status: 400,
    error: 'interaction_required',
    text: 'The session has expired or is invalid due to sign-in frequency checks by conditional access.',
    unsure: true,
  },
  90002: {
    status: 400,
    error: 'invalid_tenant',
    text: "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.",
    page: true,
  },
  90009: {
    status: 400,
    error: 'invalid_request',
    text: "Application '{clientId}'({appName}) is requesting a token for itself. This scenario is supported only if resource is specified using the GUID based App Identifier.",
  },
  90014: {
    status: 400,
    error: 'invalid_request',
    text: "The required field '{name}' is missing from the credential. Ensure that you have all the necessary parameters for the login request.",
  },
  90023: { status: 400, error: 'invalid_request', text: '{reason}', unsure: true },
  90033: {
    status: 503,
    error: 'temporarily_unavailable',
    text: 'A transient error has occurred. Please try again.',
    faultOnly: 'an outage',
  },
  90055: {
    status: 429,
    error: 'temporarily_unavailable',
    text: 'Server terminated the request due to excessive request rate.',
    unsure: true,
    faultOnly: 'a rate limit would make tests fail by their speed',
  },
  90072: {
    status: 400,
    error: 'invalid_grant',
    text: "User account '{username}' from identity provider '{provider}' does not exist in tenant '{tenant}' and cannot access the application '{clientId}'({appName}) in that tenant. The account needs to be added as an external user in the tenant first. Sign out and sign in again with a different Azure Active Directory user account.",
  },
  90094: {
    status: 400,
    error: 'invalid_grant',
    text: 'An administrator of {tenant} has set a policy that prevents you from granting {appName} the permissions it is requesting.',
    suberror: 'consent_required',
    page: true,
  },
  90095: {
    status: 400,
    error: 'access_denied',
    text: 'Admin consent is required for the permissions requested by this application. An admin consent request may be sent to the admin.',
    page: true,
    unsure: true,
  },
  500011: {
    status: 400,
    error: 'invalid_resource',
    text: 'The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.',
  },
  500112: {
    status: 400,
    error: 'invalid_client',
    text: "The reply address '{redirectUri}' does not match the reply address '{expected}' provided when requesting Authorization code.",
    unsure: true,
  },
  500113: {
    status: 400,
    error: 'invalid_request',
    text: 'No reply address is registered for the application.',
    page: true,
  },
  500121: {
    status: 400,
    error: 'interaction_required',
    text: 'Authentication failed during strong authentication request.',
  },
  500131: {
    status: 400,
    error: 'invalid_grant',
    text: "Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was '{audience}' and the expected audience is '{expected}' or one of the Application Uris of this application with App ID '{clientId}'({appName}). The downstream client must request a token for the expected audience (the application that made the OBO request) and this application should use that token as the assertion.",
  },
  500133: {
    status: 400,
    error: 'invalid_grant',
    text: 'Assertion is not within its valid time range. Ensure that the access token is not expired before using it for user assertion, or request a new token. Current time: {now}, expiry time of assertion {expiry}.',
  },
  501051: {
    status: 400,
    error: 'invalid_grant',
    text: "Application '{clientId}'({appName}) is not assigned to a role for the application '{resource}'({resourceName}).",
    unsure: true,
  },
  501481: {
    status: 400,
    error: 'invalid_grant',
    text: 'The Code_Verifier does not match the code_challenge supplied in the authorization request.',
  },
  501491: {
    status: 400,
    error: 'invalid_request',
    text: 'Invalid size of Code_Challenge parameter.',
    unsure: true,
  },
  530003: {
    status: 400,
    error: 'interaction_required',
    text: 'Your device is required to be managed to access this resource.',
    suberror: 'message_only',
    page: true,
    unsure: true,
  },
  650053: {
    status: 400,
    error: 'invalid_client',
    text: "The application '{appName}' asked for scope '{scope}' that doesn't exist on the resource '{resource}'. Contact the app vendor.",
    unsure: true,
  },
  700016: {
    status: 400,
    error: 'unauthorized_client',
    text: "Application with identifier '{clientId}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
    page: true,
  },
  700023: {
    status: 401,
    error: 'invalid_client',
    text: 'Client assertion audience claim does not match Realm issuer. Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials.',
  },
  700024: {
    status: 401,
    error: 'invalid_client',
    text: 'Client assertion is not within its valid time range. Current time: {now}.',
  },
  700025: {
    status: 401,
    error: 'invalid_client',
    text: "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
  },
  700027: {
    status: 401,
    error: 'invalid_client',
    text: 'The certificate with identifier used to sign the client assertion is not registered on application. [Reason - {reason}]',
  },
  700051: {
    status: 400,
    error: 'unsupported_response_type',
    text: "response_type '{responseType}' is not enabled for the application.",
  },
  700054: {
    status: 400,
    error: 'unsupported_response_type',
    text: "response_type 'id_token' is not enabled for the application.",
  },
  700082: { status: 400, error: 'invalid_grant', text: 'The refresh token has expired due to inactivity.' },
  700084: {
    status: 400,
    error: 'invalid_grant',
    text: 'The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of 1.00:00:00, which can not be extended. It is now expired and a new sign in request must be sent by the SPA to the sign in page.',
  },
  700211: {
    status: 401,
    error: 'invalid_client',
    text: "No matching federated identity record found for presented assertion issuer '{issuer}'.",
  },
  700212: {
    status: 401,
    error: 'invalid_client',
    text: "No matching federated identity record found for presented assertion audience '{audience}'.",
  },
  700213: {
    status: 401,
    error: 'invalid_client',
    text: "No matching federated identity record found for presented assertion subject '{subject}'.",
  },
  700229: {
    status: 401,
    error: 'invalid_client',
    text: 'Token is not an app-only token and cannot be used as Federated Identity Credential.',
  },
  900144: {
    status: 400,
    error: 'invalid_request',
    text: "The request body must contain the following parameter: '{name}'.",
  },
  900561: {
    status: 400,
    error: 'invalid_request',
    text: 'The endpoint only accepts {accepts} requests. Received a {method} request.',
  },
  901002: {
    status: 400,
    error: 'invalid_request',
    text: "The 'resource' request parameter is not supported.",
  },
  1002012: {
    status: 400,
    error: 'invalid_scope',
    text: 'The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).',
    unsure: true,
  },
  7000112: {
    status: 401,
    error: 'unauthorized_client',
    text: "Application '{clientId}'({appName}) is disabled.",
  },
  7000114: {
    status: 400,
    error: 'invalid_grant',
    text: "Application '{clientId}' is not allowed to make application on-behalf-of calls.",
  },
  7000215: {
    status: 401,
    error: 'invalid_client',
    text: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{clientId}'.",
  },
  7000216: {
    status: 401,
    error: 'invalid_client',
    text: "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
  },
  7000218: {
    status: 401,
    error: 'invalid_client',
    text: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
  },
  7000222: {
    status: 401,
    error: 'invalid_client',
    text: "The provided client secret keys for app '{clientId}' are expired.",
  },
  9002313: {
    status: 400,
    error: 'invalid_request',
    text: 'Invalid request. Request is malformed or invalid.',
  },
  9002325: {
    status: 400,
    error: 'invalid_request',
    text: 'Proof Key for Code Exchange is required for cross-origin authorization code redemption.',
  },
  9002326: {
    status: 400,
    error: 'invalid_request',
    text: "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type. Request origin: '{origin}'.",
  },
  9002327: {
    status: 400,
    error: 'invalid_request',
    text: "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.",
  },
  9010010: {
    status: 400,
    error: 'invalid_target',
    text: "The resource parameter provided in the request doesn't match with the requested scopes.",
    unsure: true,
  },
};
