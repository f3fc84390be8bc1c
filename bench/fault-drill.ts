/**
 * The fault drill at length: 200 clients on two gateways, round by round until the time is up, on Redis and then on
 * PostgreSQL. Prints the counts; ends with 1 where anybody lost a session or got what no document promises. Five minutes
 * in all, at most.
 *
 * Run: node --conditions=valetkey-source bench/fault-drill.ts [seconds for each store, default 60]
 */
import { startPostgres, startRedis } from '@valetkey/gateway/store/real-servers.suite';
import { describeDrill, runDrill } from '../test/support/drill.ts';

const endMs = performance.now() + 5 * 60_000;
// Servers end with the process that started them.
setTimeout(() => {
  console.error('The drill is not over after five minutes');
  process.exit(2);
}, 5 * 60_000).unref();

const stores = { Redis: startRedis, PostgreSQL: startPostgres };
const shareMs = Number(process.argv[2] ?? 60) * 1_000;
for (const [name, start] of Object.entries(stores)) {
  const store = await start();
  try {
    const forMs = Math.min(shareMs, endMs - performance.now());
    const counts = await runDrill(store, { clients: 200, answersPerFault: 1_000, forMs });
    console.log(describeDrill(name, counts));
    if (counts.logouts + counts.wrongPerson + counts.unexpected.length > 0) process.exitCode = 1;
  } finally {
    await store.close();
  }
}
