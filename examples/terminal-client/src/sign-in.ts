/** What the SDK leaves to a client: where the browser comes back to, and what is remembered until the end. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OAuthClientProvider } from '@modelcontextprotocol/client';

export interface SignIn {
  readonly provider: OAuthClientProvider;
  /** What the browser brings back. @throws Error when the person or the server said no. */
  answer(): Promise<URLSearchParams>;
  close(): void;
}

type Client = Awaited<ReturnType<OAuthClientProvider['clientInformation']>>;
type Tokens = Awaited<ReturnType<OAuthClientProvider['tokens']>>;

/** @param show told the address that the person has to open. */
export async function openSignIn(show: (address: string) => void): Promise<SignIn> {
  const back = Promise.withResolvers<URLSearchParams>();
  const state = randomBytes(16).toString('base64url');
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const isOurs = pathname === '/callback' && searchParams.get('state') === state;
    response.writeHead(isOurs ? 200 : 404, { 'content-type': 'text/plain', connection: 'close' });
    response.end(isOurs ? 'Done: go back to the terminal.\n' : 'Nothing here.\n');
    if (isOurs) back.resolve(searchParams);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const redirectUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;

  const kept: { client: Client; tokens: Tokens; verifier: string } = {
    client: undefined,
    tokens: undefined,
    verifier: '',
  };
  return {
    provider: {
      redirectUrl,
      clientMetadata: {
        client_name: 'Terminal client',
        redirect_uris: [redirectUrl],
        grant_types: ['authorization_code', 'refresh_token'],
        token_endpoint_auth_method: 'none',
      },
      state: () => state,
      clientInformation: () => kept.client,
      saveClientInformation: (client) => void (kept.client = client),
      tokens: () => kept.tokens,
      saveTokens: (tokens) => void (kept.tokens = tokens),
      codeVerifier: () => kept.verifier,
      saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
      redirectToAuthorization: (url) => show(url.href),
    },
    async answer() {
      const answer = await back.promise;
      const error = answer.get('error');
      if (error !== null) throw new Error(`No sign-in: ${answer.get('error_description') ?? error}`);
      return answer;
    },
    close: () => void server.close(),
  };
}
