/**
 * A second process on one store file, for `sqlite-process.integration.test.ts`: does what its arguments say and prints one
 * JSON line per result.
 */
import { openSqliteDriver } from './sqlite.ts';

const [path = '', job = '', countText = '0'] = process.argv.slice(2);
const count = Number(countText);
const driver = openSqliteDriver({ path, clock: { nowMs: () => Date.now() } });
const encoder = new TextEncoder();
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

if (job === 'take') {
  const taken: number[] = [];
  for (let index = 0; index < count; index += 1) {
    if ((await driver.take(`k${index}`)) !== undefined) taken.push(index);
  }
  say(taken);
  await driver.close();
}

if (job === 'count') {
  for (let done = 0; done < count; ) {
    const current = await driver.get('counter');
    if (current === undefined) throw new Error('no counter');
    const next = Number(new TextDecoder().decode(current.value)) + 1;
    if (await driver.replace('counter', current.value, { value: encoder.encode(String(next)) })) done += 1;
  }
  say('done');
  await driver.close();
}

if (job === 'write-for-ever') {
  for (let index = 0; ; index += 1) {
    await driver.put(`k${index}`, { value: encoder.encode(`v${index}`), groups: ['all'] });
    say(index);
  }
}
