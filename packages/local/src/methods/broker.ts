/** The broker of the system (Windows WAM, macOS Company Portal, Intune on Linux), where Microsoft's package is there. */
import type { Configuration } from '@azure/msal-node';
import { NoSuchWay, orAborted, type Prompt } from './prompt.ts';

export type BrokerPlugin = NonNullable<NonNullable<Configuration['broker']>['nativeBrokerPlugin']>;
export type LoadBroker = () => Promise<BrokerPlugin | undefined>;

/**
 * Microsoft's broker plugin; undefined where it is not installed, cannot be loaded (its native parts are missing on
 * most Linux machines, and the import itself throws), or finds no broker.
 */
export const loadBroker: LoadBroker = async () => {
  try {
    const { NativeBrokerPlugin } = await import('@azure/msal-node-extensions');
    const plugin = new NativeBrokerPlugin();
    return plugin.isBrokerAvailable ? plugin : undefined;
  } catch {
    return undefined;
  }
};

/** What has to be registered for the broker (Entra: "Redirect URIs for broker authentication"). */
export function brokerRedirectUri(platform: NodeJS.Platform, clientId: string): string {
  if (platform === 'win32') return `ms-appx-web://Microsoft.AAD.BrokerPlugin/${clientId}`;
  if (platform === 'darwin') return 'msauth.com.msauth.unsignedapp://auth';
  return 'https://login.microsoftonline.com/common/oauth2/nativeclient';
}

/** @param redirectUri MSAL hands it to the broker, and drops it where it falls through to the browser. */
export function createBrokerPrompt(redirectUri: string, log: (line: string) => void): Prompt {
  return async (client, { scopes, claims, loginHint, choosesAccount, signal }) => {
    log('Sign-in is needed: asking the broker of the system.');
    const answer = client.acquireTokenInteractive({
      scopes: [...scopes],
      redirectUri,
      ...(claims === undefined ? {} : { claims }),
      ...(choosesAccount ? { prompt: 'select_account' } : {}),
      ...(loginHint === undefined ? {} : { loginHint }),
      openBrowser: () => Promise.reject(new NoSuchWay('the broker asked for a browser')),
    });
    return orAborted(answer, signal);
  };
}
