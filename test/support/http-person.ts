/**
 * A person with a browser, over plain HTTP: a cookie jar per origin, redirects one by one, forms read from the
 * page. Quicker than Chromium where the browser's own rules are not what is tested; those are under `test/e2e`.
 */
import { FACTOR_CODE } from '@valetkey/entra-emulator';
import type { Person } from './product.ts';

export interface Answer {
  readonly status: number;
  readonly url: string;
  readonly headers: Headers;
  readonly text: string;
  /** Where the answer redirects to, absolute. */
  readonly location: string | undefined;
}

export interface HttpBrowser {
  request(
    url: string,
    init?: { method?: string; body?: URLSearchParams; headers?: Record<string, string> },
  ): Promise<Answer>;
  /** Follows redirects as long as they stay on `stayOn` origins; the last answer otherwise. */
  follow(url: string, stayOn: readonly string[]): Promise<Answer>;
  submit(page: Answer, fields: Record<string, string>, stayOn: readonly string[]): Promise<Answer>;
  /** Cookies of an origin, by name. */
  cookies(origin: string): ReadonlyMap<string, string>;
  setCookie(origin: string, name: string, value: string, path?: string): void;
}

export function createHttpBrowser(): HttpBrowser {
  const jars = new Map<string, Jar>();

  function jarOf(origin: string) {
    const jar: Jar = jars.get(origin) ?? new Map();
    jars.set(origin, jar);
    return jar;
  }

  const request: HttpBrowser['request'] = async (url, init = {}) => {
    const { origin, pathname } = new URL(url);
    const jar = jarOf(origin);
    const cookie = [...jar]
      .filter(
        ([, { path }]) => pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`),
      )
      .map(([, { name, value }]) => `${name}=${value}`)
      .join('; ');
    const response = await fetch(url, {
      redirect: 'manual',
      method: init.method ?? 'GET',
      ...(init.body === undefined ? {} : { body: init.body }),
      headers: {
        accept: 'text/html',
        'sec-fetch-site': 'none',
        ...(cookie === '' ? {} : { cookie }),
        ...init.headers,
      },
    });
    for (const line of response.headers.getSetCookie()) storeCookie(jar, line);
    const location = response.headers.get('location');
    return {
      status: response.status,
      url,
      headers: response.headers,
      text: await response.text(),
      location: location === null ? undefined : new URL(location, url).href,
    };
  };

  const follow: HttpBrowser['follow'] = async (url, stayOn) => {
    let answer = await request(url);
    for (let hops = 0; answer.location !== undefined; hops += 1) {
      if (hops > 15) throw new Error(`too many redirects at ${answer.url}`);
      if (!stayOn.includes(new URL(answer.location).origin)) return answer;
      answer = await request(answer.location);
    }
    return answer;
  };

  return {
    request,
    follow,
    async submit(page, fields, stayOn) {
      const action = new URL(attribute(page.text, /<form[^>]*action="([^"]*)"/) ?? page.url, page.url).href;
      const body = new URLSearchParams(hiddenFields(page.text));
      for (const [name, value] of Object.entries(fields)) body.set(name, value);
      const { origin } = new URL(page.url);
      const answer = await request(action, {
        method: 'POST',
        body,
        headers: { origin, referer: page.url, 'sec-fetch-site': 'same-origin' },
      });
      if (answer.location === undefined || !stayOn.includes(new URL(answer.location).origin)) return answer;
      return follow(answer.location, stayOn);
    },
    cookies: (origin) => new Map([...jarOf(origin).values()].map(({ name, value }) => [name, value])),
    setCookie: (origin, name, value, path = '/') =>
      void jarOf(origin).set(`${path} ${name}`, { name, value, path }),
  };
}

/** Goes through the consent page and Entra's login page. @returns the first answer that leads away from both. */
export async function signInOverHttp(
  browser: HttpBrowser,
  authorizeUrl: string,
  options: {
    readonly person: Person;
    readonly gateway: string;
    readonly emulator: string;
    readonly remember?: boolean;
    /** Told when the person was asked for it. */
    readonly onSecondFactor?: () => void;
  },
): Promise<Answer> {
  const own = [options.gateway, options.emulator];
  let answer = await browser.follow(authorizeUrl, own);
  if (answer.text.includes('name="decision"')) {
    const remember = options.remember === true ? { remember: 'yes' } : {};
    answer = await browser.submit(answer, { decision: 'allow', ...remember }, own);
  }
  if (answer.text.includes('name="passwd"') || answer.text.includes('name="loginfmt"')) {
    const { username, password } = options.person;
    answer = await browser.submit(answer, { loginfmt: username, passwd: password }, own);
  }
  if (answer.text.includes('name="otc"')) {
    answer = await browser.submit(answer, { otc: FACTOR_CODE }, own);
    options.onSecondFactor?.();
  }
  return answer;
}

/** By path and name: a cookie of another path is another cookie (RFC 6265 §5.3). */
type Jar = Map<string, { name: string; value: string; path: string }>;

function storeCookie(jar: Jar, line: string): void {
  const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
  const at = pair.indexOf('=');
  const name = pair.slice(0, at);
  const value = pair.slice(at + 1);
  const isGone = attributes.some(
    (part) => /^max-age=0$/i.test(part) || /^expires=Thu, 01 Jan 1970/i.test(part),
  );
  const path = attributes.find((part) => /^path=/i.test(part))?.slice(5) ?? '/';
  const id = `${path} ${name}`;
  if (isGone || value === '') jar.delete(id);
  else jar.set(id, { name, value, path });
}

function hiddenFields(html: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [tag] of html.matchAll(/<input[^>]*type="hidden"[^>]*>/g)) {
    const name = attribute(tag, /name="([^"]*)"/);
    if (name !== undefined) fields[name] = attribute(tag, /value="([^"]*)"/) ?? '';
  }
  return fields;
}

function attribute(html: string, pattern: RegExp): string | undefined {
  return pattern
    .exec(html)?.[1]
    ?.replaceAll('&amp;', '&')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&#96;', '`')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>');
}
