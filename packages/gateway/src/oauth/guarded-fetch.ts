import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { rootCertificates } from 'node:tls';
import ipaddr from 'ipaddr.js';
import { Agent, request } from 'undici';

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
  /** Time for the whole exchange. Default 2000 ms: oidc-provider asks twice before it gives a client up. */
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
    const timeout = AbortSignal.timeout(options.timeoutMs ?? 2000);
    const answer = await request(target.href, {
      method: 'GET',
      headers: { accept: 'application/json', 'accept-encoding': 'identity' },
      signal: init.signal ? AbortSignal.any([init.signal, timeout]) : timeout,
      dispatcher,
    });
    // A few kilobytes can unpack to gigabytes: `maxBytes` counts what came, so it must be what is read.
    if ((answer.headers['content-encoding'] ?? 'identity') !== 'identity') {
      answer.body.on('error', () => {}).destroy();
      throw new EgressRefused('the answer is compressed');
    }
    const bytes = await answer.body.bytes();
    const headers = Object.entries(answer.headers).flatMap(([name, value]) =>
      [value ?? []].flat().map((each): [string, string] => [name, each]),
    );
    const mayHaveBody = ![204, 205, 304].includes(answer.statusCode);
    return new Response(mayHaveBody ? bytes : null, { status: answer.statusCode, headers });
  };
}

/**
 * Unicast on the public internet; an IPv4 address inside an IPv6 one is judged as the IPv4 address. Of IPv6 only
 * what has been given out (2000::/3) counts, so that no forgotten form of an inner address passes.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast' || parsed.toString() === azureHostAddress) return false;
  return parsed.kind() === 'ipv4' || parsed.match(globalUnicast);
}

const globalUnicast = ipaddr.parseCIDR('2000::/3');
/** Public by its number, and the host of every virtual machine in Azure, with its secrets. */
const azureHostAddress = '168.63.129.16';

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
