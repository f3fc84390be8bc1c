/** MSAL's client, made anew for each operation. */
import { type ICachePlugin, LogLevel, PublicClientApplication } from '@azure/msal-node';
import type { BrokerPlugin } from './methods/broker.ts';
import { createNetwork, type LastAnswer } from './network.ts';
import type { Settings } from './options.ts';

export interface MsalClient {
  readonly app: PublicClientApplication;
  /** How the operation's last request to Entra went. */
  last(): LastAnswer;
}

export interface MsalClientOptions {
  readonly settings: Settings;
  readonly fetch: typeof fetch;
  readonly plugin: ICachePlugin;
  readonly broker?: BrokerPlugin | undefined;
}

/**
 * One operation, one client: MSAL empties its memory before it reads the cache again, and a second operation that is
 * just then writing would write what is left.
 */
export function createMsalClient({ settings, fetch, plugin, broker }: MsalClientOptions): MsalClient {
  const { authorityHost, clientId, tenant } = settings;
  const network = createNetwork(fetch, authorityHost);
  const app = new PublicClientApplication({
    auth: {
      clientId,
      authority: `${authorityHost}/${tenant}`,
      // Known, so that nobody asks Microsoft's public cloud whether this authority is one.
      knownAuthorities: [new URL(authorityHost).host],
      // Continuous access evaluation: Graph may answer with a claims challenge, and we can follow it (D10).
      clientCapabilities: ['CP1'],
    },
    cache: { cachePlugin: plugin },
    ...(broker === undefined ? {} : { broker: { nativeBrokerPlugin: broker } }),
    system: {
      networkClient: network.module,
      // MSAL's log names accounts, and goes to stdout unless it is told otherwise (A1, D13).
      loggerOptions: { loggerCallback: () => undefined, piiLoggingEnabled: false, logLevel: LogLevel.Error },
    },
  });
  return { app, last: network.last };
}
