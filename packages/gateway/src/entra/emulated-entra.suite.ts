/** For tests: the configuration of the gateway's app at the emulator. */
import { Secret } from '@valetkey/core/base/secret';
import {
  CONTOSO_TENANT_ID,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
} from '@valetkey/entra-emulator';
import type { EntraConfig } from '../config/config.ts';

export const callbackUrl = 'http://localhost/auth/callback';

/** Without `caFile` the emulator's certificate is not trusted. */
export function emulatedEntra(emulator: Emulator, changes: Partial<EntraConfig> = {}): EntraConfig {
  return {
    cloud: {
      name: 'custom',
      authorityHost: emulator.authorityHost,
      graphHost: emulator.httpsOrigin,
      tokenExchangeAudience: 'api://AzureADTokenExchange',
      browserAuthorityHost: emulator.httpOrigin,
    },
    tenants: [CONTOSO_TENANT_ID],
    clientId: GATEWAY_CLIENT_ID,
    credential: { kind: 'secret', secret: new Secret(GATEWAY_CLIENT_SECRET) },
    scopes: [],
    ...changes,
  };
}
