/**
 * A sample MCP server behind the gateway: Streamable HTTP at `/mcp`, in both protocol eras, no state between
 * requests. It knows nothing of OAuth. It believes the gateway's signed identity header, and nobody else.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node';
import { type AuthInfo, createMcpHandler } from '@modelcontextprotocol/server';
import {
  createIdentityVerifier,
  IdentityKeysUnavailable,
  type IdentityOptions,
  identityHeader,
} from './identity.ts';
import { createSnippetStore } from './snippet-store.ts';
import { createSnippetTools } from './tools.ts';

export interface SnippetsServerOptions {
  /** 0: any free port. */
  readonly port: number;
  /** Default `127.0.0.1`: only the gateway on this machine reaches it. */
  readonly host?: string;
  /** Where snippets are kept. */
  readonly directory: string;
  readonly identity: IdentityOptions;
  /** When set, every request must carry it in `x-functions-key`, as an Azure Function demands. */
  readonly functionKey?: string;
}

/** JSON-RPC error code of every refusal here: outside the range that JSON-RPC and MCP reserve. */
const refusedCode = 4030;

/** Opens the server. @returns its MCP endpoint, and how to close it. */
export async function startSnippetsServer(
  options: SnippetsServerOptions,
): Promise<{ url: string; close(): Promise<void> }> {
  const handle = createSnippetsHandler(options);
  const server = createServer((req, res) => {
    handle(req, res).catch(() => refuse(res, 500, 'The snippets server failed'));
  });
  const host = options.host ?? '127.0.0.1';
  await listen(server, options.port, host);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/mcp`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function createSnippetsHandler(options: SnippetsServerOptions) {
  const store = createSnippetStore(options.directory);
  const verifyIdentity = createIdentityVerifier(options.identity);
  const keyMatches = createKeyCheck(options.functionKey);
  // One McpServer per request: a server shared by callers can answer one of them with another's result.
  const mcp = createMcpHandler(({ authInfo }) => createSnippetTools(personOf(authInfo), store));
  const serve = toNodeHandler(mcp);

  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    if (req.url?.split('?', 1)[0] !== '/mcp') return refuse(res, 404, 'There is nothing here but /mcp');
    if (!keyMatches(req.headers['x-functions-key']))
      return refuse(res, 403, 'The function key is missing or wrong');
    let person: string | undefined;
    try {
      person = await verifyIdentity(req.headers[identityHeader]);
    } catch (error) {
      if (!(error instanceof IdentityKeysUnavailable)) throw error;
      return refuse(res, 503, 'The identity of the caller cannot be checked at present');
    }
    if (person === undefined) return refuse(res, 403, 'The request carries no valid identity of a caller');
    // The SDK's own type of a Node request does not allow for exactOptionalPropertyTypes.
    const request = Object.assign(req, { auth: asAuthInfo(person) }) as NodeIncomingMessageLike;
    await serve(request, res);
  };
}

/** The SDK hands `authInfo` through to the factory untouched; there is no token here, only the verified person. */
function asAuthInfo(person: string): AuthInfo {
  return { token: '', clientId: '', scopes: [], extra: { person } };
}

function personOf(authInfo: AuthInfo | undefined): string {
  const person = authInfo?.extra?.['person'];
  if (typeof person !== 'string') throw new Error('a request reached the tools without a person');
  return person;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Compares digests, so that the time taken tells nothing about the key or its length. */
function createKeyCheck(expected: string | undefined): (given: string | string[] | undefined) => boolean {
  if (expected === undefined) return () => true;
  const wanted = digest(expected);
  return (given) => typeof given === 'string' && timingSafeEqual(digest(given), wanted);
}

function refuse(res: ServerResponse, status: number, message: string): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const body = { jsonrpc: '2.0', error: { code: refusedCode, message }, id: null };
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
