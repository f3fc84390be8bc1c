/**
 * Room `entra`: what is true about Microsoft Entra ID whoever asks: clouds, authorities, issuers, claims and error
 * codes. Pure rules; it sends nothing and knows no MCP.
 */

export type CloudName = 'public' | 'usgov' | 'china';

/** The four addresses that always go together: a token request never crosses clouds. */
export interface Cloud {
  readonly name: CloudName;
  /** Origin of the authority. Also the beginning of every issuer of the cloud. */
  readonly authorityHost: string;
  /** Origin of Microsoft Graph. */
  readonly graphHost: string;
  /** Audience of federated credentials (workload identity, managed identity). */
  readonly tokenExchangeAudience: string;
}

/** Source: Entra "National clouds" and "Workload identity federation"; Graph "National cloud deployments". */
const clouds: readonly Cloud[] = [
  {
    name: 'public',
    authorityHost: 'https://login.microsoftonline.com',
    graphHost: 'https://graph.microsoft.com',
    tokenExchangeAudience: 'api://AzureADTokenExchange',
  },
  {
    name: 'usgov',
    authorityHost: 'https://login.microsoftonline.us',
    graphHost: 'https://graph.microsoft.us',
    tokenExchangeAudience: 'api://AzureADTokenExchangeUSGov',
  },
  {
    name: 'china',
    authorityHost: 'https://login.partner.microsoftonline.cn',
    graphHost: 'https://microsoftgraph.chinacloudapi.cn',
    tokenExchangeAudience: 'api://AzureADTokenExchangeChina',
  },
];

/** Names that `findCloud` knows, for error messages and schemas. */
export const cloudNames: readonly CloudName[] = clouds.map(({ name }) => name);

/** The cloud of a configured name, or undefined. Names are lower-case. */
export function findCloud(name: string): Cloud | undefined {
  return clouds.find((cloud) => cloud.name === name);
}
