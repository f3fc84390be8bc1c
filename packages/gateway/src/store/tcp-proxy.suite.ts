/** A network between driver and server that a test can make slow, silent or broken. */
import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /**
   * `pass` forwards; `silent` takes connections and bytes and answers nothing; `mute` passes questions on and loses
   * the answers; `refuse` resets at once.
   */
  mode: 'pass' | 'silent' | 'mute' | 'refuse';
  delayMs: number;
  /** Resets every connection that is open now. */
  cut(): void;
  readonly openConnections: () => number;
  close(): Promise<void>;
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    return socket;
  };
  const server = createServer((near) => {
    track(near);
    if (proxy.mode === 'refuse') {
      near.resetAndDestroy();
      return;
    }
    const far = track(connect(targetPort, '127.0.0.1'));
    const pump = (from: Socket, to: Socket) => {
      from.on('data', (chunk) => {
        const isLost = proxy.mode === 'mute' ? from === far : proxy.mode !== 'pass';
        if (isLost) return;
        if (proxy.delayMs === 0) to.write(chunk);
        else setTimeout(() => to.write(chunk), proxy.delayMs);
      });
      from.on('close', () => to.destroy());
    };
    pump(near, far);
    pump(far, near);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    mode: 'pass',
    delayMs: 0,
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    openConnections: () => sockets.size / 2,
    async close() {
      proxy.cut();
      await new Promise((done) => server.close(done));
    },
  };
  return proxy;
}
