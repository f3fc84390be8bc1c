/** How the gateway proves itself to Entra: a secret, a certificate, or a federated assertion without any secret. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { NodeAuthOptions } from '@azure/msal-node';
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import type { EntraCredential } from '../config/config.ts';
import { CredentialFailed } from './credential-failed.ts';
import { acquireManagedIdentityToken } from './managed-identity-token.ts';
import type { Outbound } from './outbound.ts';

/** The part of MSAL's configuration that authenticates the client. */
export type ClientAuthentication = Pick<
  NodeAuthOptions,
  'clientSecret' | 'clientCertificate' | 'clientAssertion'
>;

export interface CredentialOptions {
  readonly credential: EntraCredential;
  /** Audience of federated credentials in this cloud, such as `api://AzureADTokenExchange`. */
  readonly tokenExchangeAudience: string;
  readonly outbound: Outbound;
  readonly clock: Clock;
}

/**
 * Prepares the credential. Assertions are made when MSAL asks for one, so a rotated token file or an expired
 * managed identity token needs no restart.
 *
 * @returns a function, called for each operation.
 * @throws CredentialFailed when a certificate and its key do not fit together.
 */
export function openCredential(options: CredentialOptions): () => ClientAuthentication {
  const { credential } = options;
  if (credential.kind === 'secret') return () => ({ clientSecret: credential.secret.reveal() });
  if (credential.kind === 'certificate') {
    const clientCertificate = readCertificate(credential.certificatePem, credential.privateKeyPem.reveal());
    return () => ({ clientCertificate });
  }
  const clientAssertion =
    credential.kind === 'managedIdentity'
      ? assertManagedIdentity(credential.clientId, options)
      : () => readTokenFile(credential.tokenFile);
  return () => ({ clientAssertion });
}

/**
 * MSAL signs PS256 and names the certificate by `x5t#S256`; the chain goes along as `x5c`, which Entra needs for
 * certificates trusted by subject name and issuer and ignores otherwise.
 */
function readCertificate(certificatePem: string, privateKey: string) {
  const certificate = attempt(
    'the certificate is not a PEM certificate',
    () => new X509Certificate(certificatePem),
  );
  const key = attempt('the private key is not an unencrypted PEM key', () => createPrivateKey(privateKey));
  if (key.asymmetricKeyType !== 'rsa') {
    throw new CredentialFailed('operator', 'the private key is not RSA: Entra accepts only RSA certificates');
  }
  if (!certificate.checkPrivateKey(key)) {
    throw new CredentialFailed('operator', 'the private key does not belong to the certificate');
  }
  return {
    thumbprintSha256: certificate.fingerprint256.replaceAll(':', ''),
    privateKey,
    x5c: certificatePem,
  };
}

/** OpenSSL's own message is dropped: it is of no use to the operator and its content is not ours to vouch for. */
function attempt<Value>(failure: string, work: () => Value): Value {
  try {
    return work();
  } catch {
    throw new CredentialFailed('operator', failure);
  }
}

/** AKS and others rotate the file about hourly, so it is read for each assertion. */
async function readTokenFile(path: string): Promise<string> {
  const token = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CredentialFailed(
      'operator',
      `the workload identity token file ${path}: ${error.code ?? 'unreadable'}`,
    );
  });
  if (token.trim() === '') {
    throw new CredentialFailed('operator', `the workload identity token file ${path} is empty`);
  }
  return token.trim();
}

/** A new one this long before the old one ends, so that none expires on its way to Entra. */
const renewBeforeExpirySeconds = 300;

/**
 * The token of a user-assigned managed identity as client assertion (Entra: workload identity federation). One
 * request at a time, and the answer is kept: the endpoint on a virtual machine throttles at 20 requests a second.
 */
function assertManagedIdentity(clientId: string, options: CredentialOptions): () => Promise<string> {
  return createManagedIdentityTokens(clientId, options.tokenExchangeAudience, options);
}

/**
 * Tokens of a user-assigned managed identity for one resource.
 *
 * @returns a function that throws CredentialFailed.
 */
export function createManagedIdentityTokens(
  clientId: string,
  resource: string,
  options: Pick<CredentialOptions, 'outbound' | 'clock'>,
): () => Promise<string> {
  let kept: { readonly token: string; readonly expiresAtSeconds: number } | undefined;
  let pending: Promise<string> | undefined;

  async function acquire(): Promise<string> {
    const { accessToken, expiresAtSeconds } = await acquireManagedIdentityToken(resource, {
      ...options,
      clientId,
    });
    kept = { token: accessToken.reveal(), expiresAtSeconds };
    return kept.token;
  }

  return () => {
    const now = nowSeconds(options.clock);
    if (kept !== undefined && now < kept.expiresAtSeconds - renewBeforeExpirySeconds) {
      return Promise.resolve(kept.token);
    }
    pending ??= acquire().finally(() => {
      pending = undefined;
    });
    return pending;
  };
}
