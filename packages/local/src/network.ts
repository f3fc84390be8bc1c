/** MSAL's requests over the `fetch` of this process, to the authority and nowhere else; and a note of the last answer. */
import type { INetworkModule, NetworkRequestOptions, NetworkResponse } from '@azure/msal-node';
import { parseAadsts } from '@valetkey/core/entra/aadsts';

/** What MSAL's errors do not keep. */
export interface LastAnswer {
  /** No answer came at all. */
  readonly isSilent?: boolean;
  readonly status?: number;
  readonly retryAfterSeconds?: number;
  readonly error?: string;
  readonly suberror?: string;
  readonly claims?: string;
  readonly code?: number;
}

export interface Network {
  readonly module: INetworkModule;
  last(): LastAnswer;
}

const timeoutMs = 15_000;
const maxCharacters = 1024 * 1024;

/** One per operation, so that `last` cannot belong to somebody else's request. */
export function createNetwork(fetchImpl: typeof fetch, authorityOrigin: string): Network {
  let last: LastAnswer = {};

  async function send<Body>(
    method: 'GET' | 'POST',
    url: string,
    options: NetworkRequestOptions | undefined,
  ): Promise<NetworkResponse<Body>> {
    last = { isSilent: true };
    // What MSAL posts are codes and refresh tokens.
    if (new URL(url).origin !== authorityOrigin) throw new TypeError('not the authority');
    const answer = await fetchImpl(url, {
      method,
      headers: { accept: 'application/json', ...options?.headers },
      ...(method === 'POST' ? { body: options?.body ?? '' } : {}),
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const body = parseBody(await answer.text());
    last = note(answer, body);
    return { status: answer.status, headers: Object.fromEntries(answer.headers), body: body as Body };
  }

  return {
    last: () => last,
    module: {
      sendGetRequestAsync: (url, options) => send('GET', url, options),
      sendPostRequestAsync: (url, options) => send('POST', url, options),
    },
  };
}

/** MSAL reads properties of the body without a look: a proxy's HTML page must reach it as an OAuth error. */
function parseBody(text: string): object {
  const notJson = { error: 'temporarily_unavailable', error_description: 'the answer is not a JSON object' };
  try {
    const body: unknown = text.length > maxCharacters ? undefined : JSON.parse(text);
    return typeof body === 'object' && body !== null && !Array.isArray(body) ? body : notJson;
  } catch {
    return notJson;
  }
}

function note(answer: Response, body: object): LastAnswer {
  const read = (name: string) => {
    const value: unknown = Object.hasOwn(body, name) ? Reflect.get(body, name) : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  const { code } = parseAadsts(read('error_description') ?? '');
  const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN);
  const found = {
    error: read('error'),
    suberror: read('suberror'),
    claims: read('claims'),
    code,
    retryAfterSeconds: Number.isInteger(seconds) && seconds > 0 ? Math.min(seconds, 3600) : undefined,
  };
  const known = Object.entries(found).filter(([, value]) => value !== undefined);
  return { status: answer.status, ...Object.fromEntries(known) };
}
