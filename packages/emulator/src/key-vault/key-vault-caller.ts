/** Who calls the vault: the bearer challenge, the token, and what Azure's roles for keys allow. */
import { type JWTPayload, jwtVerify } from 'jose';
import { issuerV1, issuerV2, type Realm } from '../realm.ts';
import type { EmulatorRequest } from '../request.ts';
import { KEY_VAULT_URI, type KeyVaultRole, type KeyVaultSeed } from '../seed.ts';
import { VaultError } from './key-vault-error.ts';

export type VaultAction =
  | 'read'
  | 'create'
  | 'update'
  | 'delete'
  | 'recover'
  | 'purge'
  | 'rotate'
  | 'encrypt'
  | 'decrypt'
  | 'wrap'
  | 'unwrap'
  | 'sign'
  | 'verify';

const USE: readonly VaultAction[] = [
  'read',
  'update',
  'encrypt',
  'decrypt',
  'wrap',
  'unwrap',
  'sign',
  'verify',
];
const ALLOWED: Readonly<Record<KeyVaultRole, readonly VaultAction[]>> = {
  'Key Vault Crypto Officer': [...USE, 'create', 'delete', 'recover', 'purge', 'rotate'],
  'Key Vault Crypto User': USE,
  'Key Vault Crypto Service Encryption User': ['read', 'wrap', 'unwrap'],
  'Key Vault Reader': ['read'],
};

export interface VaultCaller {
  readonly objectId: string;
  readonly clientId: string;
  readonly issuer: string;
}

/** @throws VaultError 401 with the challenge the SDK learns tenant and resource from */
export async function admit(realm: Realm, request: EmulatorRequest, tenantId: string): Promise<VaultCaller> {
  const challenge = {
    'www-authenticate': `Bearer authorization="${realm.httpsOrigin}/${tenantId}", resource="${KEY_VAULT_URI}"`,
  };
  const refuse = (text: string) => new VaultError(401, 'Unauthorized', text, { headers: challenge });
  const token = /^bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw refuse('AKV10000: Request is missing a Bearer or PoP token.');
  const claims = await verify(realm, token, tenantId);
  if (claims === undefined)
    throw refuse('AKV10022: The token is not valid for this vault: audience, issuer, signature or lifetime.');
  const clientId = String(claims['appid'] ?? claims['azp']);
  return { objectId: String(claims['oid']), clientId, issuer: claims.iss ?? '' };
}

async function verify(realm: Realm, token: string, tenantId: string): Promise<JWTPayload | undefined> {
  const options = {
    audience: [KEY_VAULT_URI, `${KEY_VAULT_URI}/`],
    issuer: [issuerV1(realm, tenantId), issuerV2(realm, tenantId)],
    currentDate: new Date(realm.nowMs()),
    clockTolerance: 300,
  };
  const verified = await jwtVerify(token, realm.keys.find, options).catch(() => undefined);
  return verified?.payload;
}

/** @throws VaultError 403 ForbiddenByRbac */
export function checkRole(
  caller: VaultCaller,
  seed: KeyVaultSeed,
  action: VaultAction,
  resource: string,
): void {
  const roles = seed.roleAssignments.filter((each) => each.principalId === caller.objectId);
  if (roles.some(({ role }) => ALLOWED[role].includes(action))) return;
  const verb = action === 'create' ? 'create/action' : action === 'read' ? 'read' : `${action}/action`;
  const text = [
    'Caller is not authorized to perform action on resource.',
    'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
    `Caller: appid=${caller.clientId};oid=${caller.objectId};iss=${caller.issuer}`,
    `Action: 'Microsoft.KeyVault/vaults/keys/${verb}'`,
    `Resource: '${resource.slice(0, 300)}'`,
    'Assignment: (not found)',
  ].join('\r\n');
  throw new VaultError(403, 'Forbidden', text, { inner: 'ForbiddenByRbac' });
}
