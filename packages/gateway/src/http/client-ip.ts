import type { IncomingMessage } from 'node:http';
import { createRecent } from '@valetkey/core/base/recent';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

/** Who is at the other end of the connection, once it has been read. */
interface Peer {
  readonly address: Address | undefined;
  readonly text: string;
}

const maxPeers = 1000;

/**
 * Finds out whose request it is.
 *
 * `X-Forwarded-For` counts only when the peer is a trusted proxy, and then from the right: the right-most hop
 * that is not itself a trusted proxy. Everything to its left was written by the client and may be a lie.
 *
 * @param trustedProxies CIDR ranges or single addresses.
 * @returns the address in its shortest form; an IPv4-mapped IPv6 address as IPv4.
 * @throws TypeError naming a range that is none.
 */
export function createClientIp(trustedProxies: readonly string[]): (req: IncomingMessage) => string {
  const ranges = trustedProxies.map(parseRange);
  const isTrusted = (address: Address) => ranges.some((range) => isInRange(address, range));
  const peers = createRecent<string, Peer>(maxPeers);

  function findPeer(text: string): Peer {
    const known = peers.get(text);
    if (known !== undefined) return known;
    const address = parseAddress(text);
    const peer = { address, text: address?.toString() ?? 'unknown' };
    peers.set(text, peer);
    return peer;
  }

  return (req) => {
    const peer = findPeer(req.socket.remoteAddress ?? '');
    if (peer.address === undefined || ranges.length === 0) return peer.text;
    let nearest = peer.address;
    for (const hop of forwardedHops(req)) {
      if (!isTrusted(nearest)) break;
      const address = parseAddress(hop);
      // An unreadable hop ends what can be believed: the request counts for the proxy that passed it on.
      if (address === undefined) break;
      nearest = address;
    }
    return nearest.toString();
  };
}

/** Whom a rate limit counts: an IPv4 address, or the /64 of an IPv6 one, which one household or host owns. */
export function rateLimitKey(ip: string): string {
  const address = parseAddress(ip);
  if (address === undefined || address.kind() === 'ipv4') return ip;
  const network = (address as ipaddr.IPv6).parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(':')}::/64`;
}

/** Nearest first. */
function forwardedHops(req: IncomingMessage): string[] {
  const header = req.headers['x-forwarded-for'];
  if (header === undefined) return [];
  return [header].flat().join(',').split(',').toReversed();
}

function parseAddress(text: string): Address | undefined {
  const bare = stripPort(text.trim()).replace(/%.*$/, '');
  if (!ipaddr.IPv4.isValidFourPartDecimal(bare) && !ipaddr.IPv6.isValid(bare)) return undefined;
  return ipaddr.process(bare);
}

/** Azure's front ends append the port: `203.0.113.7:51234`, `[2001:db8::1]:51234`. */
function stripPort(text: string): string {
  const match = /^\[([^\]]+)\](?::\d+)?$/.exec(text) ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text);
  return match?.[1] ?? text;
}

function parseRange(text: string): Range {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text);
  if (!ipaddr.isValid(text))
    throw new TypeError(`trustedProxies: ${text} is neither an address nor a CIDR range`);
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function isInRange(address: Address, [network, bits]: Range): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}
