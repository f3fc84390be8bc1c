/**
 * Workload identity: the emulator also plays the Kubernetes cluster whose service-account tokens an app accepts as a federated
 * credential. The cluster has an issuer and a key of its own, published the way a cluster publishes them.
 */
import { createHash, generateKeyPair, type KeyObject, randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createLocalJWKSet, exportJWK, type JWK, type JWTVerifyGetKey, SignJWT } from 'jose';
import type { Realm } from '../realm.ts';
import { jsonReply, type Reply } from '../request.ts';

const CLUSTER_ID = '7e8f9a0b-1c2d-4e3f-8a4b-5c6d7e8f9a0b';
/** With a slash at its end, as AKS has it: it is part of the issuer, and of what a federated credential compares. */
const CLUSTER_PATH = `/oidc/${CLUSTER_ID}/`;
const TOKEN_SECONDS = 3600;

export const CLUSTER_METADATA_PATH = new RegExp(`^${CLUSTER_PATH}\\.well-known/openid-configuration$`);
export const CLUSTER_KEYS_PATH = new RegExp(`^${CLUSTER_PATH}openid/v1/jwks$`);

export interface Cluster {
  /** Made at first use: most runs never need it. */
  key(): Promise<ClusterKey>;
}

export interface ClusterKey {
  readonly privateKey: KeyObject;
  readonly publicJwk: JWK;
}

export function createCluster(): Cluster {
  let made: Promise<ClusterKey> | undefined;
  return {
    key() {
      made ??= createKey();
      return made;
    },
  };
}

async function createKey(): Promise<ClusterKey> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const jwk = await exportJWK(publicKey);
  const kid = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
  return { privateKey, publicJwk: { ...jwk, use: 'sig', alg: 'RS256', kid } };
}

export function clusterIssuer(realm: Pick<Realm, 'httpsOrigin'>): string {
  return realm.httpsOrigin + CLUSTER_PATH;
}

/** The keys behind a federated credential of the cluster. */
export function findClusterKeys(realm: Realm): JWTVerifyGetKey {
  return async (header, token) => {
    const { publicJwk } = await realm.cluster.key();
    return createLocalJWKSet({ keys: [publicJwk] })(header, token);
  };
}

export function handleClusterMetadata(realm: Realm): Reply {
  const issuer = clusterIssuer(realm);
  return jsonReply(200, {
    issuer,
    jwks_uri: `${issuer}openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  });
}

export async function handleClusterKeys(realm: Realm): Promise<Reply> {
  const { publicJwk } = await realm.cluster.key();
  return jsonReply(200, { keys: [publicJwk] });
}

export interface ServiceAccount {
  /** Default `valetkey`. */
  readonly namespace?: string;
  /** Default `gateway`. */
  readonly name?: string;
  /** Default `api://AzureADTokenExchange`. */
  readonly audience?: string;
  /** Default 3600. */
  readonly lifetimeSeconds?: number;
}

/** A token as the cluster projects it into a pod. */
export async function createServiceAccountToken(realm: Realm, account: ServiceAccount = {}): Promise<string> {
  const { namespace = 'valetkey', name = 'gateway', audience = 'api://AzureADTokenExchange' } = account;
  const { privateKey, publicJwk } = await realm.cluster.key();
  const now = Math.floor(realm.nowMs() / 1000);
  const claims = {
    aud: [audience],
    exp: now + (account.lifetimeSeconds ?? TOKEN_SECONDS),
    iat: now,
    iss: clusterIssuer(realm),
    jti: randomUUID(),
    'kubernetes.io': {
      namespace,
      pod: { name: `${name}-0`, uid: randomUUID() },
      serviceaccount: { name, uid: CLUSTER_ID },
    },
    nbf: now,
    sub: `system:serviceaccount:${namespace}:${name}`,
  };
  return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: publicJwk.kid ?? '' }).sign(privateKey);
}

export interface WorkloadIdentityOptions extends ServiceAccount {
  /** The app to become: `AZURE_CLIENT_ID`. */
  readonly clientId: string;
  /** Default: the first tenant of the seed. */
  readonly tenantId?: string;
}

/**
 * Writes the file a pod with workload identity finds, and tells the environment it finds it in. Write it again for a fresh
 * token, as the kubelet does.
 *
 * @param directory made when it is not there; the file in it is `azure-identity-token`, mode 0600
 */
export async function writeWorkloadIdentityToken(
  realm: Realm,
  directory: string,
  options: WorkloadIdentityOptions,
): Promise<Record<WorkloadIdentityVariable, string>> {
  const tenantId = options.tenantId ?? realm.directory.tenants[0]?.seed.tenantId ?? '';
  const path = join(directory, 'azure-identity-token');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(path, await createServiceAccountToken(realm, options), { mode: 0o600 });
  return {
    AZURE_AUTHORITY_HOST: `${realm.httpsOrigin}/`,
    AZURE_CLIENT_ID: options.clientId,
    AZURE_FEDERATED_TOKEN_FILE: path,
    AZURE_TENANT_ID: tenantId,
  };
}

type WorkloadIdentityVariable =
  | 'AZURE_AUTHORITY_HOST'
  | 'AZURE_CLIENT_ID'
  | 'AZURE_FEDERATED_TOKEN_FILE'
  | 'AZURE_TENANT_ID';
