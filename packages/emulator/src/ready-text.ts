/** What `entra-emulator` says when it is ready: one line of JSON for programs, or a page of text with settings to paste. */
import type { Emulator } from './emulator.ts';
import type { AppSeed, TenantSeed } from './seed.ts';

export interface Ready {
  /** For browsers. */
  readonly http: string;
  /** For Microsoft's libraries: the authority host. */
  readonly https: string;
  readonly caFile: string;
  readonly controlToken: string;
  /** Opens the console, once. */
  readonly console: string;
  readonly tenants: readonly {
    readonly tenantId: string;
    readonly domain: string;
    readonly authority: string;
    readonly users: readonly {
      readonly username: string;
      readonly password: string;
      readonly hint: string;
    }[];
    readonly apps: readonly {
      readonly clientId: string;
      readonly displayName: string;
      readonly secrets: readonly string[];
    }[];
  }[];
}

export function readyOf(emulator: Emulator, caFile: string): Ready {
  const toApp = ({ clientId, displayName, secrets = [] }: AppSeed) => ({
    clientId,
    displayName,
    secrets: secrets.map((secret) => secret.value),
  });
  const toTenant = ({ tenantId, domain, users, apps }: TenantSeed) => ({
    tenantId,
    domain,
    authority: `${emulator.authorityHost}/${tenantId}`,
    users: users.map(({ username, password, hint }) => ({ username, password, hint })),
    apps: apps.map(toApp),
  });
  return {
    http: emulator.httpOrigin,
    https: emulator.httpsOrigin,
    caFile,
    controlToken: emulator.controlToken,
    console: emulator.createConsoleLink(),
    tenants: emulator.seed.tenants.map(toTenant),
  };
}

export function describeReady(ready: Ready): string {
  return `
The Entra emulator is ready. Its passwords and secrets are public: it is for development only.

  Microsoft's libraries  ${ready.https}
  browsers               ${ready.http}
  certificate authority  ${ready.caFile}
  control token          ${ready.controlToken}
  console                ${ready.console}
                         (the link works once)
${ready.tenants.map(describeTenant).join('')}${describeSettings(ready)}
Stop with Ctrl+C.
`;
}

function describeTenant({ tenantId, domain, users }: Ready['tenants'][number]): string {
  const width = Math.max(0, ...users.map(({ username }) => username.length));
  const rows = users.map(({ username, password, hint }) =>
    `  ${username.padEnd(width)}  ${password}  ${hint}`.trimEnd(),
  );
  return `\nTenant ${domain} (${tenantId}):\n\n${rows.join('\n')}\n`;
}

/** For the first app that has a secret: the others are pasted alike. */
function describeSettings({ tenants, https, caFile }: Ready): string {
  const tenant = tenants.find(({ apps }) => apps.some(({ secrets }) => secrets.length > 0)) ?? tenants[0];
  if (tenant === undefined) return '';
  const app = tenant.apps.find(({ secrets }) => secrets.length > 0) ?? tenant.apps[0];
  const clientId = app?.clientId ?? '<client id>';
  const secret = app?.secrets[0] ?? '<client secret>';
  const host = new URL(https).host;
  return `
Settings to paste (${app?.displayName ?? 'an app'}):

  MSAL Node    NODE_EXTRA_CA_CERTS=${caFile}
               auth: { clientId: '${clientId}',
                       clientSecret: '${secret}',
                       authority: '${tenant.authority}',
                       knownAuthorities: ['${host}'] }

  MSAL Python  msal.ConfidentialClientApplication(
                   "${clientId}",
                   client_credential="${secret}",
                   authority="${tenant.authority}",
                   instance_discovery=False,
                   verify="${caFile}")

  .NET         SSL_CERT_FILE=${caFile}
               ConfidentialClientApplicationBuilder.Create("${clientId}")
                   .WithClientSecret("${secret}")
                   .WithAuthority("${tenant.authority}", validateAuthority: false)
                   .WithInstanceDiscovery(false)
`;
}
