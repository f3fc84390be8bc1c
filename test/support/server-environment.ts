/** The environment of a server with `@valetkey/express` that runs as a process of its own, beside an emulator. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CONTOSO_TENANT_ID,
  type Emulator,
  GATEWAY_CLIENT_ID,
  GATEWAY_CLIENT_SECRET,
} from '@valetkey/entra-emulator';
import { findFreePort } from './free-port.ts';

export interface ServerEnvironment {
  readonly url: string;
  readonly mcpUrl: string;
  readonly emulator: Emulator;
  /** What `readOptions` reads, and `PORT`. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Finds a port, registers its redirect, and puts the certificate authority into the folder.
 *
 * @param folder where the server keeps its state too.
 */
export async function prepareServer(emulator: Emulator, folder: string): Promise<ServerEnvironment> {
  const port = await findFreePort();
  const url = `http://localhost:${port}`;
  const caFile = join(folder, 'ca.pem');
  await writeFile(caFile, emulator.caCertificatePem);
  emulator.control.addRedirectUri(GATEWAY_CLIENT_ID, `${url}/auth/callback`);
  const env = {
    PORT: String(port),
    VALETKEY_PUBLIC_URL: url,
    VALETKEY_TENANT_ID: CONTOSO_TENANT_ID,
    VALETKEY_CLIENT_ID: GATEWAY_CLIENT_ID,
    VALETKEY_CLIENT_SECRET: GATEWAY_CLIENT_SECRET,
    VALETKEY_STORE: `sqlite:${join(folder, 'valetkey.db')}`,
    VALETKEY_KEY_FILE: join(folder, 'keys.json'),
    VALETKEY_AUDIT_FILE: join(folder, 'audit.jsonl'),
    VALETKEY_AUTHORITY_HOST: emulator.httpsOrigin,
    VALETKEY_BROWSER_AUTHORITY_HOST: emulator.httpOrigin,
    VALETKEY_CA_FILE: caFile,
  };
  return { url, mcpUrl: `${url}/mcp`, emulator, env };
}
