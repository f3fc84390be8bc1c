/** An Entra to sign in at, and a person with a browser of a few lines who does it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import {
  CONTOSO_TENANT_ID,
  createEmulator,
  DESKTOP_CLIENT_ID,
  defaultSeed,
  type Emulator,
  type TenantSeed,
} from '@valetkey/entra-emulator';
import type { Keychain } from './cache/keychain.ts';
import type { SignInOptions } from './options.ts';
import { type SignIn, signIn } from './sign-in.ts';
import type { Surroundings } from './surroundings.ts';

export interface Emulated {
  readonly emulator: Emulator;
  readonly directory: string;
  readonly keychain: Keychain & { readonly kept: Map<string, Uint8Array> };
  /** What would stand on stderr. */
  readonly lines: string[];
  /** One more process, as it were: nothing is shared but the disk and the keychain. */
  open(options?: Partial<SignInOptions>, given?: Partial<Surroundings>): SignIn;
  close(): Promise<void>;
}

export const RITA = 'rita@contoso.example';
export const WALT = 'walt@contoso.example';

const caDirectory = join(tmpdir(), `valetkey-local-ca-${process.pid}`);

/** For `afterAll`. */
export const removeAuthority = () => rm(caDirectory, { recursive: true, force: true });

export async function openEmulated(change: Partial<TenantSeed> = {}): Promise<Emulated> {
  const seed = { tenants: defaultSeed.tenants.map((tenant) => ({ ...tenant, ...change })) };
  // One CA for all tests of a process: a second one of the same name confuses OpenSSL.
  const emulator = await createEmulator({ seed, caDirectory });
  setDefaultCACertificates([...getCACertificates('default'), emulator.caCertificatePem]);
  const directory = await mkdtemp(join(tmpdir(), 'valetkey-local-'));
  const keychain = createTestKeychain();
  const lines: string[] = [];
  return {
    emulator,
    directory,
    keychain,
    lines,
    open: (options = {}, given = {}) =>
      signIn(
        {
          clientId: DESKTOP_CLIENT_ID,
          tenant: CONTOSO_TENANT_ID,
          cloud: { authorityHost: emulator.authorityHost, graphHost: emulator.httpsOrigin },
          cacheDirectory: directory,
          timeoutSeconds: 20,
          log: (line) => void lines.push(line),
          ...options,
        },
        {
          keychain,
          machine: { platform: 'linux', env: { DISPLAY: ':0' }, isContainer: () => false },
          loadBroker: async () => undefined,
          openBrowser: browserOf(RITA).open,
          ...given,
        },
      ),
    async close() {
      await emulator.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export function createTestKeychain(): Emulated['keychain'] {
  const kept = new Map<string, Uint8Array>();
  return {
    kept,
    read: async (account) => kept.get(account),
    write: async (account, key) => void kept.set(account, key),
  };
}

export interface TestBrowser {
  /** Starts to sign in and returns, as a real browser's starter does. */
  open(url: string): Promise<void>;
  /** Settles when the pages are over: the text of the last one. */
  readonly lastPage: () => Promise<string>;
  readonly opened: readonly string[];
}

/** @param username of who signs in; undefined: the page stays as it is. */
export function browserOf(username: string | undefined): TestBrowser {
  const opened: string[] = [];
  const state: { last: Promise<string> } = { last: Promise.resolve('') };
  return {
    opened,
    lastPage: () => state.last,
    async open(url) {
      opened.push(url);
      if (username !== undefined) state.last = walk(url, username);
      state.last.catch(() => undefined);
    },
  };
}

/** Goes through Entra's pages: takes the person's tile, presses on, and posts the form that posts itself. */
export async function walk(
  url: string,
  username: string,
  fields: Record<string, string> = {},
): Promise<string> {
  const cookies = new Map<string, string>();
  const send = async (address: string, body?: URLSearchParams): Promise<string> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(address, {
      ...(body === undefined ? {} : { method: 'POST', body }),
      headers: { cookie },
      redirect: 'manual',
    });
    for (const line of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split('=');
      cookies.set(name, value);
    }
    const location = answer.headers.get('location');
    return location === null ? answer.text() : send(new URL(location, address).href);
  };
  let page = await send(url);
  for (let step = 0; step < 8; step += 1) {
    const action = unescape(/<form[^>]*action="([^"]+)"/.exec(page)?.[1] ?? '');
    if (action === '') return page;
    const hidden = [...page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const form = new URLSearchParams(
      hidden.map(([, name = '', value = '']): [string, string] => [name, unescape(value)]),
    );
    const pressed = /<button type="submit" class="primary"[^>]* name="([^"]+)"/.exec(page)?.[1];
    if (pressed !== undefined) form.set(pressed, '1');
    if (page.includes(`data-username="${username}"`)) form.set('account', username);
    for (const [name, value] of Object.entries(fields))
      if (page.includes(`name="${name}"`)) form.set(name, value);
    page = await send(action, form);
  }
  throw new Error(`the pages do not end: ${page.slice(0, 500)}`);
}

const unescape = (text: string) =>
  text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&amp;', '&');
