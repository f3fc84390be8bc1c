/** A browser of a few lines for the tests: keeps cookies, follows nothing, posts the login page. */
import { CONTOSO_TENANT_ID, type Emulator, GATEWAY_CLIENT_ID, GATEWAY_CLIENT_SECRET } from './emulator.ts';

export interface TestBrowser {
  get(url: string): Promise<Response>;
  post(url: string, form: Record<string, string>): Promise<Response>;
  /** Opens an authorize URL and chooses an account's tile; returns what follows, or what came instead of the page. */
  signIn(url: string, username: string): Promise<Response>;
}

export function createBrowser(): TestBrowser {
  const cookies = new Map<string, string>();
  const send = async (
    url: string,
    init: { method?: string; body?: URLSearchParams } = {},
  ): Promise<Response> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split('=');
      cookies.set(name, value);
    }
    return response;
  };
  const post = (url: string, form: Record<string, string>) =>
    send(url, { method: 'POST', body: new URLSearchParams(form) });
  return {
    get: (url) => send(url),
    post,
    async signIn(url, username) {
      const first = await send(url);
      if (first.status !== 200) return first;
      const page = readLoginPage(await first.text());
      return post(page.action, { ctx: page.ctx, account: username });
    },
  };
}

export function readLoginPage(html: string): { action: string; ctx: string } {
  const action = /action="([^"]+)"/.exec(html)?.[1];
  const ctx = /name="ctx" value="([^"]+)"/.exec(html)?.[1];
  if (action === undefined || ctx === undefined)
    throw new Error(`not the login page: ${html.slice(0, 2000)}`);
  return { action, ctx };
}

/** The `Location` of an answer, as a URL. */
export function readRedirect(response: Response): URL {
  const location = response.headers.get('location');
  if (location === null) throw new Error(`no redirect but ${response.status}`);
  return new URL(location);
}

/** An authorize URL on the http origin, where the test needs no trust. */
export function authorizeUrl(emulator: Emulator, tenant: string, params: Record<string, string>): string {
  return `${emulator.httpOrigin}/${tenant}/oauth2/v2.0/authorize?${new URLSearchParams(params).toString()}`;
}

export const REDIRECT = 'http://localhost:3001/auth/callback';

/** The token endpoint of Contoso, over http. */
export function postToken(emulator: Emulator, form: Record<string, string>): Promise<Response> {
  const url = `${emulator.httpOrigin}/${CONTOSO_TENANT_ID}/oauth2/v2.0/token`;
  return fetch(url, { method: 'POST', body: new URLSearchParams(form) });
}

/** Signs a person in through the gateway's app, from the page to the token answer. */
export async function signInForTokens(
  emulator: Emulator,
  scope: string,
  username = 'rita@contoso.example',
): Promise<Record<string, string>> {
  const params = { client_id: GATEWAY_CLIENT_ID, response_type: 'code', redirect_uri: REDIRECT, scope };
  const redirect = readRedirect(
    await createBrowser().signIn(authorizeUrl(emulator, CONTOSO_TENANT_ID, params), username),
  );
  const code = redirect.searchParams.get('code') ?? '';
  const client = { client_id: GATEWAY_CLIENT_ID, client_secret: GATEWAY_CLIENT_SECRET };
  const response = await postToken(emulator, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT,
    ...client,
  });
  return (await response.json()) as Record<string, string>;
}
