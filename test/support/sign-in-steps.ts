/** A sign-in cut into its steps, for tests that stop, swap browsers or attack between two of them. */
import { createHttpBrowser, type Answer, type HttpBrowser } from './http-person.ts';
import { type AuthorizeRequest, authorizeRequest, registerClient, type Target } from './oauth-client.ts';
import type { Person } from './product.ts';

export interface AtConsent {
  readonly browser: HttpBrowser;
  readonly request: AuthorizeRequest;
  readonly clientId: string;
  readonly page: Answer;
}

/** Register if need be, ask, and stop at the consent page. */
export async function goToConsent(
  product: Target,
  options: {
    readonly browser?: HttpBrowser;
    readonly clientId?: string;
    readonly overrides?: Record<string, string | undefined>;
  } = {},
): Promise<AtConsent> {
  const browser = options.browser ?? createHttpBrowser();
  const clientId = options.clientId ?? (await registerClient(product));
  const request = authorizeRequest(product, clientId, options.overrides);
  const page = await browser.follow(request.url, [product.url]);
  return { browser, request, clientId, page };
}

/** Presses Allow. @returns the answer that leads to Entra, not followed. */
export function allow(at: Pick<AtConsent, 'browser' | 'page'>): Promise<Answer> {
  return at.browser.submit(at.page, { decision: 'allow' }, []);
}

/** Signs in at Entra, or rides its live session. @returns the callback's address. */
export async function signInAtEntra(
  product: Target,
  browser: HttpBrowser,
  entraUrl: string | undefined,
  person: Person,
): Promise<string> {
  const entra = product.emulator.httpOrigin;
  let answer = await browser.follow(entraUrl ?? '', [entra]);
  if (answer.location === undefined) {
    answer = await browser.submit(answer, { loginfmt: person.username, passwd: person.password }, [entra]);
  }
  if (answer.location === undefined) throw new Error(`Entra kept the browser: ${answer.status}`);
  return answer.location;
}

/** The whole way from a request to the callback's address, everything but the callback itself. */
export async function goToCallback(
  product: Target,
  person: Person,
  options: Parameters<typeof goToConsent>[1] = {},
): Promise<AtConsent & { readonly callbackUrl: string }> {
  const at = await goToConsent(product, options);
  const callbackUrl = await signInAtEntra(product, at.browser, (await allow(at)).location, person);
  return { ...at, callbackUrl };
}

/** The code of an answer that leads to a client; undefined when it leads elsewhere or brings none. */
export function codeOf(answer: Answer): string | undefined {
  return new URL(answer.location ?? 'about:blank').searchParams.get('code') ?? undefined;
}

/** The whole way to a code. */
export async function obtainCode(
  product: Target,
  person: Person,
  options: Parameters<typeof goToConsent>[1] = {},
): Promise<AtConsent & { readonly code: string }> {
  const at = await goToCallback(product, person, options);
  const code = codeOf(await at.browser.follow(at.callbackUrl, [product.url]));
  if (code === undefined) throw new Error('no code');
  return { ...at, code };
}
