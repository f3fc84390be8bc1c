/** Which variable an option came from: a fault names what the operator can set, and not only what the program calls it. */
import type { ConfigFault } from '@valetkey/gateway/config/fault';

export interface OptionFault extends ConfigFault {
  /** The environment variable behind it, where it came from one, or could have. */
  readonly variable?: string;
}

/** What `readOptions` reads for each option. */
const variables: Readonly<Record<string, string>> = {
  publicUrl: 'VALETKEY_PUBLIC_URL',
  'entra.cloud': 'VALETKEY_CLOUD',
  'entra.cloud.authorityHost': 'VALETKEY_AUTHORITY_HOST',
  'entra.cloud.browserAuthorityHost': 'VALETKEY_BROWSER_AUTHORITY_HOST',
  'entra.cloud.graphHost': 'VALETKEY_GRAPH_HOST or VALETKEY_AUTHORITY_HOST',
  'entra.tenant': 'VALETKEY_TENANT_ID',
  'entra.clientId': 'VALETKEY_CLIENT_ID',
  'entra.credential': 'VALETKEY_CLIENT_SECRET, VALETKEY_MANAGED_IDENTITY or AZURE_FEDERATED_TOKEN_FILE',
  'entra.credential.secret': 'VALETKEY_CLIENT_SECRET',
  'entra.credential.managedIdentity.clientId': 'VALETKEY_MANAGED_IDENTITY',
  'entra.credential.workloadIdentity.tokenFile': 'AZURE_FEDERATED_TOKEN_FILE',
  'entra.caFile': 'VALETKEY_CA_FILE',
  store: 'VALETKEY_STORE',
  'keys.file': 'VALETKEY_KEY_FILE',
  'keys.environment': 'VALETKEY_KEYS',
  'audit.file': 'VALETKEY_AUDIT_FILE',
};

const asRead = Symbol('as read from the environment');

/** Keeps beside the options what was read, through every `{ ...options }`. */
export function withOrigins<Options extends object>(options: Options): Options {
  return { ...options, [asRead]: options };
}

/** @param options as they were given: those that the program wrote itself are called by their path alone. */
export function nameVariables(faults: readonly ConfigFault[], options: object): OptionFault[] {
  const read: unknown = Reflect.get(options, asRead);
  return read === undefined ? [...faults] : faults.map((fault) => nameVariable(fault, read, options));
}

function nameVariable(fault: ConfigFault, read: unknown, options: object): OptionFault {
  const variable = Object.hasOwn(variables, fault.path) ? variables[fault.path] : undefined;
  const value = valueAt(options, fault.path);
  if (variable === undefined || value !== valueAt(read, fault.path)) return fault;
  if (value !== undefined) return { ...fault, variable };
  const remedy = `Set ${variable} where the server is started`;
  return { path: fault.path, problem: 'is missing', remedy, variable };
}

function valueAt(options: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (part, name) => (typeof part === 'object' && part !== null ? Reflect.get(part, name) : undefined),
      options,
    );
}
