import { type Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { openSignIn } from './sign-in.ts';

/**
 * Connects to a remote server, with a sign-in where the server asks for one.
 *
 * @param isTraced tell of every request too.
 */
export async function connectByUrl(
  createClient: () => Client,
  url: URL,
  say: (line: string) => void,
  isTraced: boolean,
): Promise<Client> {
  const signIn = await openSignIn((address) => say(`Sign in here: ${address}`));
  const tracedFetch = async (input: string | URL, init?: RequestInit): Promise<Response> => {
    const response = await fetch(input, init);
    say(`${init?.method ?? 'GET'} ${String(input)} → ${response.status}`);
    const challenge = response.headers.get('www-authenticate');
    if (challenge !== null) say(`  WWW-Authenticate: ${challenge}`);
    return response;
  };
  const open = () =>
    new StreamableHTTPClientTransport(url, {
      authProvider: signIn.provider,
      ...(isTraced ? { fetch: tracedFetch } : {}),
    });

  const connect = async (transport: StreamableHTTPClientTransport) => {
    const client = createClient();
    await client.connect(transport);
    return client;
  };
  const first = open();
  try {
    return await connect(first).catch(async (error: unknown) => {
      if (!(error instanceof UnauthorizedError)) throw error;
      await first.finishAuth(await signIn.answer());
      return connect(open());
    });
  } finally {
    signIn.close();
  }
}
