/** A stdio MCP server as a client starts it, the browser that it opens caught on the way, and all that it says. */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Client, type ClientOptions } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { CONTOSO_TENANT_ID, DESKTOP_CLIENT_ID, type Emulator } from '@valetkey/entra-emulator';
import { repositoryRoot } from './command.ts';

export interface LocalServerOptions {
  readonly emulator: Emulator;
  /** Paths below the repository, and arguments; Node runs the first. */
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly client?: ClientOptions;
  /** Called before the connection, to set handlers. */
  readonly prepare?: (client: Client) => void;
}

export interface LocalServer {
  readonly client: Client;
  /** Everything on stderr so far. */
  readonly stderr: () => string;
  /** What stood on stdout and was no JSON-RPC. */
  noise(): Promise<string[]>;
  /** The URLs that were given to the browser. */
  opened(): Promise<string[]>;
  close(): Promise<void>;
}

const nodeOptions = ['--conditions=valetkey-source', '--disable-warning=ExperimentalWarning'];
const example = ['examples/local-profile/src/main.ts'];

export async function openLocalServer(options: LocalServerOptions): Promise<LocalServer> {
  const { emulator, command = example, env = {} } = options;
  const folder = await mkdtemp(join(tmpdir(), 'valetkey-stdio-'));
  const { urls, path } = await plantBrowser(folder);
  const caFile = join(folder, 'ca.pem');
  await writeFile(caFile, emulator.caCertificatePem);
  const copy = join(folder, 'stdout');
  let said = '';
  const transport = new StdioClientTransport({
    // The SDK passes over lines that are no JSON; a copy of the bytes shows them.
    command: 'sh',
    args: ['-c', '"$@" | tee "$STDOUT_COPY"', 'sh', process.execPath, ...nodeOptions, ...command],
    cwd: repositoryRoot,
    stderr: 'pipe',
    env: {
      PATH: `${path}${delimiter}${process.env['PATH'] ?? ''}`,
      HOME: folder,
      STDOUT_COPY: copy,
      DISPLAY: ':0',
      NODE_EXTRA_CA_CERTS: caFile,
      VALETKEY_CLIENT_ID: DESKTOP_CLIENT_ID,
      VALETKEY_TENANT_ID: CONTOSO_TENANT_ID,
      VALETKEY_AUTHORITY_HOST: emulator.httpsOrigin,
      VALETKEY_GRAPH_HOST: emulator.httpsOrigin,
      VALETKEY_CACHE_DIRECTORY: join(folder, 'state'),
      ...env,
    },
  });
  transport.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const client = new Client({ name: 'e2e', version: '1' }, options.client);
  options.prepare?.(client);
  try {
    await client.connect(transport);
  } catch (error) {
    throw new Error(`the server did not start: ${said}`, { cause: error });
  }
  return {
    client,
    noise: async () => (await readFile(copy, 'utf8')).split('\n').filter((line) => !isJsonRpc(line)),
    stderr: () => said,
    opened: async () => (await readFile(urls, 'utf8')).split('\n').filter(Boolean),
    async close() {
      await client.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** An `xdg-open` that notes its URL and opens nothing. */
async function plantBrowser(folder: string): Promise<{ readonly urls: string; readonly path: string }> {
  const urls = join(folder, 'urls');
  await writeFile(urls, '');
  const script = join(folder, 'xdg-open');
  await writeFile(script, `#!/bin/sh\nprintf '%s\\n' "$1" >> '${urls}'\n`);
  await chmod(script, 0o755);
  return { urls, path: folder };
}

function isJsonRpc(line: string): boolean {
  if (line === '') return true;
  try {
    return (JSON.parse(line) as { jsonrpc?: unknown }).jsonrpc === '2.0';
  } catch {
    return false;
  }
}
