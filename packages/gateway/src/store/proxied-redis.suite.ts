/** Redis as a cluster and with sentinels, each server that holds data behind a proxy that clients are sent to. */
import { createClient } from 'redis';
import type { FaultyServer } from './faults.suite.ts';
import { type AnnouncePort, startRedisCluster, startRedisSentinel } from './real-servers.suite.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.suite.ts';

/** Starts a proxy before each server that it is told of; what is done to `all` is done to each. */
function createProxies(): { readonly announce: AnnouncePort; readonly all: TcpProxy } {
  const proxies: TcpProxy[] = [];
  const first = () => {
    const [proxy] = proxies;
    if (proxy === undefined) throw new Error('no server has started');
    return proxy;
  };
  return {
    async announce(port) {
      const proxy = await startTcpProxy(port);
      proxies.push(proxy);
      return proxy.port;
    },
    all: {
      get port() {
        return first().port;
      },
      get mode() {
        return first().mode;
      },
      set mode(mode) {
        for (const proxy of proxies) proxy.mode = mode;
      },
      get delayMs() {
        return first().delayMs;
      },
      set delayMs(delayMs) {
        for (const proxy of proxies) proxy.delayMs = delayMs;
      },
      cut() {
        for (const proxy of proxies) proxy.cut();
      },
      openConnections: () => proxies.reduce((sum, proxy) => sum + proxy.openConnections(), 0),
      close: async () => void (await Promise.all(proxies.map((proxy) => proxy.close()))),
    },
  };
}

/** Whether this node answers for the keys of a store, and does not send clients elsewhere. */
async function holdsData(port: number): Promise<boolean> {
  const client = createClient({ socket: { host: '127.0.0.1', port } });
  client.on('error', () => {});
  await client.connect();
  try {
    await client.exists('{valetkey}:index');
    return true;
  } catch {
    return false;
  } finally {
    client.destroy();
  }
}

/** The node that is killed is the one that holds the data: all keys lie in one slot. */
export async function startProxiedCluster(): Promise<FaultyServer> {
  const { announce, all: proxy } = createProxies();
  const { url, nodes, close } = await startRedisCluster(announce);
  const held = await Promise.all(nodes.map(({ port }) => holdsData(port)));
  const owner = nodes[held.indexOf(true)];
  if (owner === undefined) throw new Error('no node has the slot');
  return {
    ...owner,
    url,
    proxy,
    besideUrl: `redis://127.0.0.1:${owner.port}`,
    async close() {
      await proxy.close();
      await close();
    },
  };
}

/** The sentinels wait for long, so that what is tested is the fault; the failover is in `servers.integration.test.ts`. */
export async function startProxiedSentinel(): Promise<FaultyServer> {
  const { announce, all: proxy } = createProxies();
  const { url, master, untilWatched, close } = await startRedisSentinel({ announce, downAfterMs: 60_000 });
  return {
    ...master,
    url,
    proxy,
    besideUrl: `redis://127.0.0.1:${master.port}`,
    untilSettled: untilWatched,
    async close() {
      await proxy.close();
      await close();
    },
  };
}
