import { withOrigins } from './option-origins.ts';
import type { ValetkeyOptions } from './valetkey.ts';

/**
 * The options that differ from place to place, from the environment: `VALETKEY_PUBLIC_URL`, `VALETKEY_TENANT_ID`,
 * `VALETKEY_CLIENT_ID`, and one of `VALETKEY_CLIENT_SECRET`, `VALETKEY_MANAGED_IDENTITY` (its client id) or
 * `AZURE_FEDERATED_TOKEN_FILE`; where wanted `VALETKEY_STORE`, `VALETKEY_KEY_FILE` or `VALETKEY_KEYS` (the ring itself),
 * `VALETKEY_AUDIT_FILE`, `VALETKEY_CLOUD`; for another authority than Microsoft's `VALETKEY_AUTHORITY_HOST`,
 * `VALETKEY_BROWSER_AUTHORITY_HOST`, `VALETKEY_GRAPH_HOST`, `VALETKEY_CA_FILE`.
 *
 * What is missing is found by `valetkey()`, together with whatever else is wrong; each fault names its variable, also
 * where the program adds options of its own.
 */
export function readOptions(env: Readonly<Record<string, string | undefined>>): ValetkeyOptions {
  const read = (name: string) => (env[name] === '' ? undefined : env[name]);
  const keys = withoutGaps({ file: read('VALETKEY_KEY_FILE'), environment: read('VALETKEY_KEYS') });
  const options = withoutGaps({
    publicUrl: read('VALETKEY_PUBLIC_URL'),
    entra: withoutGaps({
      cloud: readCloud(read),
      tenant: read('VALETKEY_TENANT_ID'),
      clientId: read('VALETKEY_CLIENT_ID'),
      credential: readCredential(read),
      caFile: read('VALETKEY_CA_FILE'),
    }),
    store: read('VALETKEY_STORE'),
    keys: Object.keys(keys).length === 0 ? undefined : keys,
    audit:
      read('VALETKEY_AUDIT_FILE') === undefined
        ? undefined
        : { stdout: false, file: read('VALETKEY_AUDIT_FILE') },
  });
  return withOrigins(options) as unknown as ValetkeyOptions;
}

type Read = (name: string) => string | undefined;

function readCloud(read: Read) {
  const authorityHost = read('VALETKEY_AUTHORITY_HOST');
  if (authorityHost === undefined) return read('VALETKEY_CLOUD');
  return withoutGaps({
    authorityHost,
    browserAuthorityHost: read('VALETKEY_BROWSER_AUTHORITY_HOST'),
    graphHost: read('VALETKEY_GRAPH_HOST') ?? authorityHost,
  });
}

function readCredential(read: Read) {
  const secret = read('VALETKEY_CLIENT_SECRET');
  if (secret !== undefined) return { secret };
  const clientId = read('VALETKEY_MANAGED_IDENTITY');
  if (clientId !== undefined) return { managedIdentity: { clientId } };
  return read('AZURE_FEDERATED_TOKEN_FILE') === undefined ? undefined : { workloadIdentity: {} };
}

/** An option that is there and undefined would be one with the wrong type. */
function withoutGaps(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
