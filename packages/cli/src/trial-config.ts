import { join } from 'node:path';
import {
  CONTOSO_TENANT_ID,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
} from '@valetkey/entra-emulator';

export interface TrialOptions {
  readonly publicUrl: string;
  readonly emulator: Emulator;
  /** Where the store, the keys and the audit go; it must hold the emulator's CA as `emulator-ca.pem`. */
  readonly directory: string;
  readonly backends: Readonly<Record<string, unknown>>;
  /** Default: SQLite in the directory. */
  readonly store?: string;
}

export const caFileName = 'emulator-ca.pem';

/** What the references of a trial's configuration stand for. */
export const trialEnv: Readonly<Record<string, string>> = { CLIENT_SECRET: GATEWAY_CLIENT_SECRET };

type TrialCredential =
  | { readonly secret: string }
  | { readonly managedIdentity: { readonly clientId: string } };

/** The section `entra` of whatever has the emulator for its Entra. @param caFile where the emulator's CA lies. */
export function describeEntra(
  emulator: Emulator,
  caFile: string,
  credential: TrialCredential = { secret: 'env:CLIENT_SECRET' },
) {
  return {
    cloud: {
      authorityHost: emulator.httpsOrigin,
      browserAuthorityHost: emulator.httpOrigin,
      graphHost: emulator.httpsOrigin,
      tokenExchangeAudience: 'api://AzureADTokenExchange',
    },
    tenant: CONTOSO_TENANT_ID,
    clientId: GATEWAY_CLIENT_ID,
    credential,
    caFile,
  };
}

/**
 * The configuration file of a gateway that has the emulator for its Entra, before it is written down: it goes through
 * the same door as an operator's.
 */
export function describeTrial(options: TrialOptions): Record<string, unknown> {
  const { publicUrl, emulator, directory, backends } = options;
  return {
    publicUrl,
    entra: describeEntra(emulator, join(directory, caFileName)),
    store: options.store ?? `sqlite:${join(directory, 'valetkey.db')}`,
    keys: { file: join(directory, 'keys.json') },
    audit: { stdout: false, file: join(directory, 'audit.jsonl') },
    backends,
  };
}

/** The sample server behind a gateway. */
export function describeSnippets(upstream: string): Record<string, unknown> {
  return {
    title: 'Snippets',
    path: '/snippets/mcp',
    upstream,
    credential: { header: 'x-functions-key', value: 'env:FUNCTION_KEY' },
    scopes: { 'snippets.use': 'Use your text snippets: read them, and save them if your role lets you' },
    enter: { anyRole: ['Snippets.Reader', 'Snippets.Writer'] },
    tools: { save_snippet: { anyRole: ['Snippets.Writer'] } },
  };
}
