/**
 * A second process on one store, for the tests of processes beside this file: does what its arguments say and prints
 * one JSON line per result.
 */
import { openDriver } from './open-store.ts';
import { storeConfigOf } from './real-servers.suite.ts';

const [url = '', job = '', countText = '0'] = process.argv.slice(2);
const count = Number(countText);
const driver = await openDriver(storeConfigOf(url), { nowMs: () => Date.now() });
const encoder = new TextEncoder();
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** Work on each number, 25 at a time; the numbers for which it was true. */
async function select(work: (index: number) => Promise<boolean>): Promise<number[]> {
  const selected: number[] = [];
  const next = { index: 0 };
  const worker = async () => {
    for (let index = next.index++; index < count; index = next.index++)
      if (await work(index)) selected.push(index);
  };
  await Promise.all(Array.from({ length: 25 }, worker));
  return selected;
}

async function addOne(): Promise<true> {
  for (;;) {
    const current = await driver.get('counter');
    if (current === undefined) throw new Error('no counter');
    const next = Number(new TextDecoder().decode(current.value)) + 1;
    if (await driver.replace('counter', current.value, { value: encoder.encode(String(next)) })) return true;
  }
}

if (job === 'take') say(await select(async (index) => (await driver.take(`k${index}`)) !== undefined));

if (job === 'create') {
  say(await select((index) => driver.create(`c${index}`, { value: encoder.encode(String(process.pid)) })));
}

if (job === 'count') {
  await select(addOne);
  say('done');
}

if (job === 'write-for-ever') {
  for (let index = 0; ; index += 1) {
    await driver.put(`k${index}`, { value: encoder.encode(`v${index}`), groups: ['all'] });
    say(index);
  }
}
await driver.close();
