/** The neighbours a process in Azure finds: managed identity, workload identity, Key Vault. */
import type { FidelityRow } from './row.ts';

const identity = 'packages/emulator/src/managed-identity/managed-identity.integration.test.ts';
const appServiceJudge = 'test/judges/managed-identity.test.ts';
const imdsJudge = 'test/judges/managed-identity-imds.test.ts';
const vault = 'packages/emulator/src/key-vault/key-vault.integration.test.ts';
const vaultJudge = 'test/judges/key-vault.test.ts';

export const azure: readonly FidelityRow[] = [
  {
    behaviour:
      'App Service answers IDENTITY_ENDPOINT with the secret of IDENTITY_HEADER and api-version 2019-08-01.',
    source: 'document',
    reference: 'Use managed identities for App Service and Azure Functions, REST endpoint reference',
    test: appServiceJudge,
  },
  {
    behaviour: 'App Service’s refusals are statusCode, message and correlationId; a wrong secret is 401.',
    source: 'unverified',
    reference: 'The shape is what @azure/msal-node 7 reads; the sentences are from public issue reports',
    test: identity,
  },
  {
    behaviour:
      'IMDS wants Metadata: true and api-version, refuses X-Forwarded-For, and answers numbers as text.',
    source: 'document',
    reference: 'Use managed identities on a virtual machine to acquire an access token',
    test: identity,
  },
  {
    behaviour: 'IMDS answers an identity it does not have with 400 invalid_request, Identity not found.',
    source: 'document',
    reference: 'Managed identities, token acquisition error handling',
    test: imdsJudge,
  },
  {
    behaviour: 'While the platform is busy there is 404, 410, 429 or 5xx, and the libraries wait it out.',
    source: 'document',
    reference:
      'Managed identities, retry guidance. 410 is not waited for by a judge: the library takes ten seconds',
    test: imdsJudge,
  },
  {
    behaviour:
      'Without a name the system-assigned identity answers; on IMDS the only user-assigned one, and several are 400.',
    source: 'document',
    reference: 'Managed identities FAQ',
    test: identity,
  },
  {
    behaviour:
      'A managed identity’s token has its principal id as sub and oid, lives for a day, and is v1 for Azure’s own resources.',
    source: 'document',
    reference: 'Managed identities for Azure resources; access token claims reference',
    test: appServiceJudge,
  },
  {
    behaviour: 'Every request gets a fresh token.',
    source: 'unverified',
    reference:
      'The real endpoints keep a token for most of the day, roles of yesterday included: not emulated',
    test: appServiceJudge,
  },
  {
    behaviour:
      'The token for api://AzureADTokenExchange is v2 with that name as audience, and is an app’s federated credential.',
    source: 'document',
    reference: 'Configure an application to trust a managed identity',
    test: identity,
  },
  {
    behaviour:
      'A service-account token with the cluster’s issuer, the account as sub and the exchange audience stands in for a secret.',
    source: 'document',
    reference: 'Microsoft Entra Workload ID on AKS; Kubernetes, service-account token projection',
    test: appServiceJudge,
  },
  {
    behaviour:
      'A token of another account, for another audience or expired is AADSTS700213, 700212 or 700024.',
    source: 'unverified',
    reference:
      'Important considerations for federated identity credentials; numbers from public issue reports',
    test: identity,
  },
  {
    behaviour:
      'A vault answers a request without a token with 401, the authority and https://vault.azure.net in WWW-Authenticate.',
    source: 'library',
    reference: '@azure/keyvault-keys 4.10, challenge-based authentication',
    test: vaultJudge,
  },
  {
    behaviour:
      'A key’s id is vault, keys, name and version by position; without a version an operation takes the newest.',
    source: 'library',
    reference: '@azure/keyvault-keys 4.10, identifier parsing',
    test: vault,
  },
  {
    behaviour:
      'wrapkey, unwrapkey, encrypt and decrypt with RSA1_5, RSA-OAEP and RSA-OAEP-256; what does not open is 400 BadParameter.',
    source: 'document',
    reference: 'Key types, algorithms and operations, Azure Key Vault. Elliptic curves and AES are not there',
    test: vaultJudge,
  },
  {
    behaviour: 'sign and verify take a digest, with RS256 to RS512 and PS256 to PS512.',
    source: 'document',
    reference: 'Key types, algorithms and operations, Azure Key Vault',
    test: vaultJudge,
  },
  {
    behaviour: 'Rotation makes a new version; whoever names an older one keeps it.',
    source: 'document',
    reference:
      'Configure cryptographic key auto-rotation in Azure Key Vault. A policy is kept and does not run',
    test: vaultJudge,
  },
  {
    behaviour: 'A disabled key does nothing, an expired one only opens, verifies and decrypts.',
    source: 'document',
    reference: 'About keys: date-time controlled operations. The inner codes are from memory',
    test: vault,
  },
  {
    behaviour: 'A deleted key holds its name until it is recovered or purged: 404 to read, 409 to create.',
    source: 'document',
    reference: 'Azure Key Vault soft-delete overview',
    test: vaultJudge,
  },
  {
    behaviour: 'Azure’s roles for keys decide; too little is 403 Forbidden with ForbiddenByRbac.',
    source: 'document',
    reference:
      'Provide access to Key Vault with Azure role-based access control. Scope is the whole vault here',
    test: vaultJudge,
  },
  {
    behaviour: 'A throttled vault is 429 Throttled; the SDK waits as long as Retry-After says.',
    source: 'document',
    reference: 'Azure Key Vault throttling guidance. Limits are planned here, not counted',
    test: vaultJudge,
  },
];
