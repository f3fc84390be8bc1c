import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { rootCertificates } from 'node:tls';
import ipaddr from 'ipaddr.js';
import { Agent, type Dispatcher, fetch as undiciFetch, type RequestInit as UndiciInit } from 'undici';

/** How a URL that a stranger named is fetched. Replaceable, so that a deployment can route it through its own egress. */
export type FetchFromStranger = (
  url: string,
  init: { readonly signal?: AbortSignal | null },
) => Promise<Response>;

export interface GuardOptions {
  /** Also fetch from loopback and private addresses: development and tests only. */
  readonly allowSpecialAddresses: boolean;
  /** PEM of an additional trusted CA. */
  readonly ca?: string;
  /** Largest answer in bytes. Default 5 KiB, the cap that the CIMD draft recommends (draft-02 §6.6). */
  readonly maxBytes?: number;
  /** Time for the whole exchange. Default 2500 ms. */
  readonly timeoutMs?: number;
}

/** The address may not be asked: it is not a public unicast address, or the URL is not plain https. */
export class EgressRefused extends Error {
  override readonly name = 'EgressRefused';
}

/**
 * Fetches what a client told us to fetch (client id metadata documents, `jwks_uri`) without becoming its tool:
 * https only, no redirects, no credentials, no special-use address (RFC 6890). The address is judged where the
 * connection is made, after name resolution, so that a name which resolves differently the second time
 * (DNS rebinding) gains nothing.
 */
export function createGuardedFetch(options: GuardOptions): FetchFromStranger {
  const maxBytes = options.maxBytes ?? 5 * 1024;
  const dispatcher = new Agent({
    connect: {
      lookup: options.allowSpecialAddresses ? systemLookup : publicLookup,
      ...(options.ca === undefined ? {} : { ca: [...rootCertificates, options.ca] }),
    },
    maxResponseSize: maxBytes,
    maxHeaderSize: 16 * 1024,
  });
  return async (url, init) => {
    const target = URL.parse(url);
    if (target?.protocol !== 'https:' || target.username !== '' || target.password !== '') {
      throw new EgressRefused('only https URLs without credentials are fetched');
    }
    const literal = target.hostname.replace(/^\[|\]$/g, '');
    if (!options.allowSpecialAddresses && ipaddr.isValid(literal) && !isPublicAddress(literal)) {
      throw new EgressRefused('the address is not public');
    }
    const timeout = AbortSignal.timeout(options.timeoutMs ?? 2500);
    const request: UndiciInit & { dispatcher: Dispatcher } = {
      method: 'GET',
      headers: { accept: 'application/json' },
      redirect: 'manual',
      credentials: 'omit',
      signal: init.signal ? AbortSignal.any([init.signal, timeout]) : timeout,
      dispatcher,
    };
    return undiciFetch(target.href, request);
  };
}

/** Unicast on the public internet; an IPv4 address inside an IPv6 one is judged as the IPv4 address. */
export function isPublicAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast';
}

const publicLookup: LookupFunction = (hostname, options, callback) => {
  systemLookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, '', 0);
    const found = addresses.filter(({ address }) => isPublicAddress(address));
    const [first] = found;
    // One private answer among public ones is how rebinding looks: the whole name is refused.
    if (first === undefined || found.length !== addresses.length) {
      return callback(new EgressRefused('the name resolves to an address that is not public'), '', 0);
    }
    if (options.all === true) return callback(null, found);
    return callback(null, first.address, first.family);
  });
};
