/** What the control plane plays: the things that happen to a tenant while apps are running. */
import type { FidelityRow } from './row.ts';

const changes = 'packages/emulator/src/control.integration.test.ts';
const plane = 'packages/emulator/src/control-plane.integration.test.ts';

export const controlRows: readonly FidelityRow[] = [
  {
    behaviour: 'Signing keys rotate without notice: several are published, and a new kid signs at once.',
    source: 'document',
    reference: 'Signing key rollover in the Microsoft identity platform',
    test: changes,
  },
  {
    behaviour: 'An access token lives between 60 and 90 minutes, drawn anew each time.',
    source: 'document',
    reference: 'Configurable token lifetimes in the Microsoft identity platform',
    test: changes,
  },
  {
    behaviour: 'Throttling is 429 with Retry-After, at the token endpoint and in Graph.',
    source: 'document',
    reference: 'Microsoft Graph throttling guidance; MSAL, Retry-After',
    test: changes,
  },
  {
    behaviour:
      'After an administrator revokes the sessions of a person, an older refresh token is AADSTS50173.',
    source: 'document',
    reference: 'Microsoft Entra authentication and authorization error codes',
    test: plane,
  },
  {
    behaviour: 'A client secret that has expired is AADSTS7000222, and a wrong one AADSTS7000215.',
    source: 'document',
    reference: 'Microsoft Entra authentication and authorization error codes',
    test: plane,
  },
  {
    behaviour:
      'App roles and group memberships that change show in the next token, not in one already issued.',
    source: 'document',
    reference: 'Add app roles to your application and receive them in the token',
    test: plane,
  },
  {
    behaviour:
      'A redirect URI is refused at registration when it is http for another host, has a fragment, or is too long.',
    source: 'document',
    reference: 'Redirect URI (reply URL) restrictions and limitations',
    test: changes,
  },
];
