import { findTenantId, isGuid } from '@valetkey/core/entra/authority';
import { cloudNames, findCloud } from '@valetkey/core/entra/cloud';
import { isSecureUrl } from '@valetkey/core/base/url';

export type TokenStore = 'keychain' | 'file' | 'memory';
export type Way = 'auto' | 'broker' | 'browser' | 'device-code';

export interface SignInOptions {
  /** Application (client) id of a public client registration. */
  readonly clientId: string;
  /** Tenant id. A domain can move to another tenant, and `common` names none. */
  readonly tenant: string;
  /** Default `public`. Hosts only for an authority that is not Microsoft's: the emulator. */
  readonly cloud?: string | { readonly authorityHost: string; readonly graphHost: string };
  /**
   * Where the session is kept. Default `keychain`: a sealed file whose key is in the keychain of the system; without
   * one sign-in is refused. `file`: the key lies beside it, readable by whoever reads your files. `memory`: gone when
   * the process ends.
   */
  readonly tokenStore?: TokenStore;
  /** Default `auto`: the broker where there is one, else the browser, else a device code. */
  readonly way?: Way;
  /** How long a prompt waits for the person. Default 300; 1 to 900, the life of a device code. */
  readonly timeoutSeconds?: number;
  /** Where the sealed file lies. Default: the place of the system for an application's data. */
  readonly cacheDirectory?: string;
  /** Progress, one line each, without names and tokens. Default: stderr. */
  readonly log?: (line: string) => void;
}

/** The options as used. */
export interface Settings {
  readonly clientId: string;
  readonly tenant: string;
  readonly authorityHost: string;
  readonly graphHost: string;
  readonly isMicrosoft: boolean;
  readonly tokenStore: TokenStore;
  readonly way: Way;
  readonly timeoutSeconds: number;
  readonly cacheDirectory: string | undefined;
}

/** The options cannot be used: every fault, each with the name of what to set. For the start of a process. */
export class ConfigurationFault extends Error {
  override readonly name = 'ConfigurationFault';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`sign-in cannot be set up:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

const stores: readonly TokenStore[] = ['keychain', 'file', 'memory'];
const ways: readonly Way[] = ['auto', 'broker', 'browser', 'device-code'];

/** What each option is called where it was set. */
type Names = Readonly<
  Record<'clientId' | 'tenant' | 'cloud' | 'tokenStore' | 'way' | 'timeoutSeconds', string>
>;
const ownNames: Names = {
  clientId: 'clientId',
  tenant: 'tenant',
  cloud: 'cloud',
  tokenStore: 'tokenStore',
  way: 'way',
  timeoutSeconds: 'timeoutSeconds',
};
const variables: Names = {
  clientId: 'VALETKEY_CLIENT_ID',
  tenant: 'VALETKEY_TENANT_ID',
  cloud: 'VALETKEY_CLOUD',
  tokenStore: 'VALETKEY_TOKEN_STORE',
  way: 'VALETKEY_SIGN_IN',
  timeoutSeconds: 'VALETKEY_SIGN_IN_TIMEOUT_SECONDS',
};

/**
 * The options from the environment: `VALETKEY_CLIENT_ID`, `VALETKEY_TENANT_ID`, and where wanted `VALETKEY_CLOUD`,
 * `VALETKEY_TOKEN_STORE`, `VALETKEY_SIGN_IN`, `VALETKEY_SIGN_IN_TIMEOUT_SECONDS`, `VALETKEY_CACHE_DIRECTORY`; for
 * another authority than Microsoft's, `VALETKEY_AUTHORITY_HOST` with `VALETKEY_GRAPH_HOST`.
 *
 * @throws ConfigurationFault naming every variable that is missing or wrong (A2, D7).
 */
export function readSignInOptions(env: Readonly<Record<string, string | undefined>>): SignInOptions {
  const read = (name: string) => (env[name] === '' ? undefined : env[name]);
  const authorityHost = read('VALETKEY_AUTHORITY_HOST');
  const cloud =
    authorityHost === undefined
      ? read(variables.cloud)
      : { authorityHost, graphHost: read('VALETKEY_GRAPH_HOST') ?? authorityHost };
  const seconds = read(variables.timeoutSeconds);
  const found = {
    clientId: read(variables.clientId) ?? '',
    tenant: read(variables.tenant) ?? '',
    cloud,
    tokenStore: read(variables.tokenStore) as TokenStore | undefined,
    way: read(variables.way) as Way | undefined,
    timeoutSeconds: seconds === undefined ? undefined : Number(seconds),
    cacheDirectory: read('VALETKEY_CACHE_DIRECTORY'),
  };
  const set = Object.entries(found).filter(([, value]) => value !== undefined);
  const options = Object.fromEntries(set) as unknown as SignInOptions;
  checkOptions(options, variables);
  return options;
}

/** @throws ConfigurationFault with every fault. No value is repeated. */
export function checkOptions(options: SignInOptions, names: Names = ownNames): Settings {
  const { cloud = 'public', tokenStore = 'keychain', way = 'auto', timeoutSeconds = 300 } = options;
  const tenant = findTenantId(options.tenant ?? '');
  const hosts = findHosts(cloud);
  const faults = [
    ...(isGuid(options.clientId ?? '')
      ? []
      : [`${names.clientId}: expected the application (client) id of the app registration, a GUID`]),
    ...(tenant === undefined ? [`${names.tenant}: expected the id of your Entra tenant, a GUID`] : []),
    ...(hosts === undefined
      ? [`${names.cloud}: expected one of ${cloudNames.join(', ')}, or two https origins without a path`]
      : []),
    ...(stores.includes(tokenStore) ? [] : [`${names.tokenStore}: expected one of ${stores.join(', ')}`]),
    ...(ways.includes(way) ? [] : [`${names.way}: expected one of ${ways.join(', ')}`]),
    ...(timeoutSeconds >= 1 && timeoutSeconds <= 900
      ? []
      : [`${names.timeoutSeconds}: expected a number of seconds from 1 to 900`]),
  ];
  if (faults.length > 0 || tenant === undefined || hosts === undefined) throw new ConfigurationFault(faults);
  return {
    clientId: options.clientId.toLowerCase(),
    tenant,
    ...hosts,
    tokenStore,
    way,
    timeoutSeconds,
    cacheDirectory: options.cacheDirectory,
  };
}

function findHosts(cloud: NonNullable<SignInOptions['cloud']>) {
  if (typeof cloud === 'string') {
    const known = findCloud(cloud);
    return known && { authorityHost: known.authorityHost, graphHost: known.graphHost, isMicrosoft: true };
  }
  const areOrigins = [cloud.authorityHost, cloud.graphHost].every(
    (host) => URL.canParse(host) && new URL(host).origin === host && isSecureUrl(new URL(host)),
  );
  return areOrigins ? { ...cloud, isMicrosoft: false } : undefined;
}
