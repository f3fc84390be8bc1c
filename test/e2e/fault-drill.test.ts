/** The drill in short: everything fails once under twelve clients, on each store that replicas can share. */
import { startPostgres, startRedis } from '@valetkey/gateway/store/real-servers.suite';
import { expect, test } from 'vitest';
import { describeDrill, runDrill } from '../support/drill.ts';

const stores = { Redis: startRedis, PostgreSQL: startPostgres };

test.concurrent.each(Object.entries(stores))(
  'A31 A57 D22 D49: on %s nobody loses a session while gateways, store, Entra, clocks and keys fail in turn',
  async (name, start) => {
    const store = await start();
    try {
      const counts = await runDrill(store, { clients: 12, answersPerFault: 40 });
      console.log(describeDrill(name, counts));
      expect(counts.unexpected).toEqual([]);
      const { logouts, ended, wrongPerson, faults } = counts;
      expect({ logouts, ended, wrongPerson, faults }).toEqual({
        logouts: 0,
        ended: {},
        wrongPerson: 0,
        faults: 0,
      });
      expect(counts.expired, 'the clocks have jumped').toBeGreaterThan(0);
      expect(Object.keys(counts.retryable).length, 'something has failed').toBeGreaterThan(0);
    } finally {
      await store.close();
    }
  },
  300_000,
);
