/**
 * The fault drill at length: 200 clients on two gateways, round by round until the time is up, on Redis and then on
 * PostgreSQL. Prints the counts; ends with 1 where anybody lost a session or got what no document promises. A round that has
 * begun is finished.
 *
 * Run: node --conditions=valetkey-source bench/fault-drill.ts [seconds for each store, default 60] [only this store]
 */
import { startPostgres, startRedis } from '@valetkey/gateway/store/real-servers.suite';
import { describeDrill, runDrill } from '../test/support/drill.ts';

const stores = { Redis: startRedis, PostgreSQL: startPostgres };
const [seconds = '60', only] = process.argv.slice(2);
const forMs = Number(seconds) * 1_000;
/** For the rounds that have begun, on a slow machine. */
const slackMs = 10 * 60_000;

// Servers end with the process that started them.
setTimeout(
  () => {
    console.error('The drill is stuck');
    process.exit(2);
  },
  2 * forMs + slackMs,
).unref();

for (const [name, start] of Object.entries(stores)) {
  if (only !== undefined && only !== name) continue;
  const store = await start();
  try {
    const counts = await runDrill(store, { clients: 200, answersPerFault: 1_000, forMs });
    console.log(describeDrill(name, counts));
    const { logouts, ended, wrongPerson, unexpected, faultLines } = counts;
    const wrong = logouts + wrongPerson + unexpected.length + faultLines.length + Object.keys(ended).length;
    if (wrong > 0) process.exitCode = 1;
  } finally {
    await store.close();
  }
}

// Not left to the end of the work: Node 24 can hang over the handles of servers that were killed.
process.exit();
