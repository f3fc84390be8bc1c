/**
 * Room `key-vault`: the data plane for keys, at the root of the https origin: a vault's URL has no path, because the SDK reads
 * name and version out of a key's id by position. RSA only. Knows the caller's token, and no sign-in.
 */
import type { AadstsError } from '../errors.ts';
import type { Realm } from '../realm.ts';
import { type EmulatorRequest, jsonReply, type Reply } from '../request.ts';
import type { KeyVaultSeed } from '../seed.ts';
import { admit, checkRole, type VaultAction } from './key-vault-caller.ts';
import { seal, signDigest, unseal, verifyDigest } from './key-vault-crypto.ts';
import { badParameter, keyNotFound, renderVaultError, VaultError } from './key-vault-error.ts';
import { ALL_OPERATIONS, type KeyVersion, type NamedKey, type NewKey } from './key-vault-keys.ts';
import {
  describeDeleted,
  describeItem,
  describeKey,
  keyId,
  readBody,
  readBytes,
  readKeySize,
  readSettings,
  readValue,
} from './key-vault-wire.ts';

export const KEY_VAULT_PATH = /^\/(?:deleted)?keys(?:\/.*)?$/;

type Parts = Readonly<Record<string, string | undefined>>;
interface Context {
  readonly realm: Realm;
  readonly request: EmulatorRequest;
  readonly parts: Parts;
}
interface Operation {
  readonly method: string;
  readonly path: RegExp;
  readonly action: VaultAction;
  readonly handle: (context: Context) => Promise<Reply>;
}

const NAME = String.raw`(?<name>[^/]+)`;
const row = (method: string, path: string, action: VaultAction, handle: Operation['handle']): Operation => ({
  method,
  path: new RegExp(`^${path}/?$`),
  action,
  handle,
});
/** The version may be missing altogether or be an empty segment: the SDK writes both. */
const onVersion = (verb: string) => `/keys/${NAME}(?:/(?<version>[^/]*))?/${verb}`;

const operations: readonly Operation[] = [
  row('GET', '/keys', 'read', listKeys),
  row('GET', `/keys/${NAME}/versions`, 'read', listVersions),
  row('POST', `/keys/${NAME}/create`, 'create', createKey),
  row('POST', `/keys/${NAME}/rotate`, 'rotate', rotateKey),
  row('GET', `/keys/${NAME}/rotationpolicy`, 'read', getRotationPolicy),
  row('PUT', `/keys/${NAME}/rotationpolicy`, 'update', putRotationPolicy),
  row('POST', onVersion('wrapkey'), 'wrap', sealing('wrapKey')),
  row('POST', onVersion('encrypt'), 'encrypt', sealing('encrypt')),
  row('POST', onVersion('unwrapkey'), 'unwrap', unsealing('unwrapKey')),
  row('POST', onVersion('decrypt'), 'decrypt', unsealing('decrypt')),
  row('POST', onVersion('sign'), 'sign', signValue),
  row('POST', onVersion('verify'), 'verify', verifyValue),
  row('GET', `/keys/${NAME}(?:/(?<version>[^/]*))?`, 'read', getKey),
  row('PATCH', `/keys/${NAME}(?:/(?<version>[^/]*))?`, 'update', updateKey),
  row('DELETE', `/keys/${NAME}`, 'delete', deleteKey),
  row('GET', '/deletedkeys', 'read', listDeleted),
  row('GET', `/deletedkeys/${NAME}`, 'read', getDeleted),
  row('POST', `/deletedkeys/${NAME}/recover`, 'recover', recoverKey),
  row('DELETE', `/deletedkeys/${NAME}`, 'purge', purgeKey),
];

/** Every request below `/keys` and `/deletedkeys`. */
export async function handleKeyVault(realm: Realm, request: EmulatorRequest): Promise<Reply> {
  try {
    const vault = findVault(realm);
    if (vault === undefined) throw new VaultError(404, 'ResourceNotFound', 'The seed has no key vault.');
    const version = request.query.get('api-version') ?? '';
    if (!/^(?:7\.\d(?:-preview\.\d)?|20\d\d-\d\d-\d\d(?:-preview)?)$/.test(version))
      throw badParameter('The api-version is missing or not supported.');
    const caller = await admit(realm, request, vault.tenantId);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const onPath = operations.filter((each) => each.path.test(request.path));
    const operation = onPath.find((each) => each.method === method);
    if (operation === undefined)
      throw new VaultError(onPath.length > 0 ? 405 : 404, 'BadParameter', 'There is no such operation.');
    checkRole(caller, vault.seed, operation.action, request.path);
    return await operation.handle({ realm, request, parts: readParts(operation, request.path) });
  } catch (problem) {
    if (problem instanceof VaultError) return renderVaultError(problem);
    throw problem;
  }
}

export function findVault(
  realm: Realm,
): { readonly seed: KeyVaultSeed; readonly tenantId: string } | undefined {
  const tenant = realm.directory.tenants.find((each) => each.seed.keyVault !== undefined);
  if (tenant?.seed.keyVault === undefined) return undefined;
  return { seed: tenant.seed.keyVault, tenantId: tenant.seed.tenantId };
}

/** A planned fault. Throttling has a code of its own here. */
export function renderKeyVaultProblem(error: AadstsError): Reply {
  const { status, message, retryAfterSeconds } = error;
  const headers: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  if (status !== 429)
    return renderVaultError(new VaultError(status, 'ServiceUnavailable', message, { headers }));
  const text =
    'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached';
  return renderVaultError(new VaultError(429, 'Throttled', text, { headers }));
}

function readParts(operation: Operation, path: string): Parts {
  const { name, version } = operation.path.exec(path)?.groups ?? {};
  if (name !== undefined && !/^[0-9A-Za-z-]{1,127}$/.test(name))
    throw badParameter(`The request URI contains an invalid name: ${name.slice(0, 130)}`);
  return { name, version: version === '' ? undefined : version };
}

async function requireKey({ realm, parts }: Context): Promise<NamedKey> {
  const name = parts['name'] ?? '';
  const key = await realm.vault.find(name);
  if (key === undefined) throw keyNotFound(name);
  return key;
}

/** Without a version: the newest. */
async function requireVersion(context: Context): Promise<KeyVersion> {
  const key = await requireKey(context);
  const wanted = context.parts['version'];
  const found =
    wanted === undefined ? key.versions.at(-1) : key.versions.find((each) => each.version === wanted);
  if (found === undefined) throw keyNotFound(`${key.name}/${wanted ?? ''}`);
  return found;
}

async function getKey(context: Context): Promise<Reply> {
  return jsonReply(200, describeKey(context.realm, await requireVersion(context)));
}

async function createKey(context: Context): Promise<Reply> {
  const body = readBody(context.request);
  const { kty } = body;
  if (kty !== 'RSA' && kty !== 'RSA-HSM')
    throw badParameter(`The emulator makes keys of type RSA, not '${String(kty).slice(0, 20)}'.`);
  return replyCreated(context, { keySize: readKeySize(body['key_size']), ...readSettings(body) });
}

/** The same kind of key again, as a new version: whoever named the old version keeps it. */
async function rotateKey(context: Context): Promise<Reply> {
  const key = await requireKey(context);
  const last = key.versions.at(-1);
  return replyCreated(context, {
    keySize: last?.keySize ?? 2048,
    operations: last?.operations ?? ALL_OPERATIONS,
    tags: last?.tags ?? {},
  });
}

async function replyCreated(context: Context, wanted: NewKey): Promise<Reply> {
  const name = context.parts['name'] ?? '';
  const made = await context.realm.vault.create(name, wanted);
  if (made !== undefined) return jsonReply(200, describeKey(context.realm, made));
  const text = `Key ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.`;
  throw new VaultError(409, 'Conflict', text, { inner: 'ObjectIsDeletedButRecoverable' });
}

async function updateKey(context: Context): Promise<Reply> {
  const version = await requireVersion(context);
  const { operations: keyOps, ...settings } = readSettings(readBody(context.request));
  Object.assign(version, settings, keyOps === undefined ? {} : { operations: keyOps });
  version.updatedSeconds = Math.floor(context.realm.nowMs() / 1000);
  return jsonReply(200, describeKey(context.realm, version));
}

async function deleteKey(context: Context): Promise<Reply> {
  const key = await requireKey(context);
  context.realm.vault.remove(key);
  return jsonReply(200, describeDeleted(context.realm, key));
}

async function requireDeleted({ realm, parts }: Context): Promise<NamedKey> {
  const deleted = await realm.vault.list('deleted');
  const name = parts['name'] ?? '';
  const key = deleted.find((each) => each.name.toLowerCase() === name.toLowerCase());
  if (key === undefined) throw keyNotFound(name);
  return key;
}

async function getDeleted(context: Context): Promise<Reply> {
  return jsonReply(200, describeDeleted(context.realm, await requireDeleted(context)));
}

async function recoverKey(context: Context): Promise<Reply> {
  const key = await requireDeleted(context);
  context.realm.vault.recover(key);
  const newest = key.versions.at(-1);
  return jsonReply(200, newest === undefined ? {} : describeKey(context.realm, newest));
}

async function purgeKey(context: Context): Promise<Reply> {
  context.realm.vault.purge(await requireDeleted(context));
  return { status: 204 };
}

async function listKeys(context: Context): Promise<Reply> {
  const keys = await context.realm.vault.list('kept');
  const items = keys.flatMap((key) =>
    key.versions.slice(-1).map((each) => describeItem(context.realm, each, false)),
  );
  return replyPage(context, items);
}

async function listVersions(context: Context): Promise<Reply> {
  const key = await requireKey(context);
  return replyPage(
    context,
    key.versions.map((each) => describeItem(context.realm, each, true)),
  );
}

async function listDeleted(context: Context): Promise<Reply> {
  const keys = await context.realm.vault.list('deleted');
  return replyPage(
    context,
    keys.map((key) => describeDeleted(context.realm, key)),
  );
}

const MAX_RESULTS = 25;

function replyPage({ realm, request }: Context, items: readonly unknown[]): Reply {
  const asked = Number(request.query.get('maxresults') ?? MAX_RESULTS);
  if (!Number.isInteger(asked) || asked < 1 || asked > MAX_RESULTS)
    throw badParameter(`maxresults must be between 1 and ${MAX_RESULTS}.`);
  const offset = Number(/^\d{1,6}$/.exec(request.query.get('$skiptoken') ?? '0')?.[0] ?? 0);
  const version = encodeURIComponent(request.query.get('api-version') ?? '');
  const next = offset + asked;
  const link = `${realm.httpsOrigin}${request.path}?api-version=${version}&$skiptoken=${next}&maxresults=${asked}`;
  return jsonReply(200, { value: items.slice(offset, next), nextLink: next < items.length ? link : null });
}

/** The policy is kept and shown; the emulator does not rotate by itself. */
async function getRotationPolicy(context: Context): Promise<Reply> {
  const key = await requireKey(context);
  const id = `${context.realm.httpsOrigin}/keys/${key.name}/rotationpolicy`;
  const lifetimeActions = [{ trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Notify' } }];
  return jsonReply(200, { lifetimeActions, attributes: {}, ...key.rotationPolicy, id });
}

async function putRotationPolicy(context: Context): Promise<Reply> {
  const key = await requireKey(context);
  key.rotationPolicy = readBody(context.request);
  return getRotationPolicy(context);
}

function sealing(operation: string): Operation['handle'] {
  return async (context) => {
    const key = await requireUsable(context, operation);
    const { algorithm, value } = readValue(context.request);
    return replyResult(context, key, seal(key, algorithm, value));
  };
}

function unsealing(operation: string): Operation['handle'] {
  return async (context) => {
    const key = await requireUsable(context, operation);
    const { algorithm, value } = readValue(context.request);
    return replyResult(context, key, unseal(key, algorithm, value));
  };
}

async function signValue(context: Context): Promise<Reply> {
  const key = await requireUsable(context, 'sign');
  const { algorithm, value } = readValue(context.request);
  return replyResult(context, key, signDigest(key, algorithm, value));
}

async function verifyValue(context: Context): Promise<Reply> {
  const key = await requireUsable(context, 'verify');
  const body = readBody(context.request);
  const algorithm = String(body['alg']);
  const isGood = verifyDigest(key, algorithm, readBytes(body, 'digest'), readBytes(body, 'value'));
  return jsonReply(200, { value: isGood });
}

/** What an expired key can still do: open what it once closed. */
const AFTER_EXPIRY = ['decrypt', 'unwrapKey', 'verify'];

/** @throws VaultError 403 for a disabled, early or expired key, or an operation the key does not have */
async function requireUsable(context: Context, operation: string): Promise<KeyVersion> {
  const key = await requireVersion(context);
  const forbid = (why: string, inner: string) =>
    new VaultError(403, 'Forbidden', `Operation ${operation} is not allowed on ${why}.`, { inner });
  if (!key.enabled) throw forbid('a disabled key', 'KeyDisabled');
  if (!key.operations.includes(operation))
    throw new VaultError(403, 'Forbidden', `Operation ${operation} is not permitted on this key.`, {
      inner: 'KeyOperationForbidden',
    });
  if (AFTER_EXPIRY.includes(operation)) return key;
  const now = context.realm.nowMs() / 1000;
  if (key.notBeforeSeconds !== undefined && now < key.notBeforeSeconds)
    throw forbid('a key that is not yet valid', 'KeyNotYetValid');
  if (key.expiresSeconds !== undefined && now >= key.expiresSeconds)
    throw forbid('an expired key', 'KeyExpired');
  return key;
}

function replyResult({ realm }: Context, key: KeyVersion, value: Buffer): Reply {
  return jsonReply(200, { kid: keyId(realm, key), value: value.toString('base64url') });
}
