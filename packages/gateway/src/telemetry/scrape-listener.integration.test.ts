import { expect, test } from 'vitest';
import { openScrapeListener, shareUnderWay } from './scrape-listener.ts';

async function withListener(
  render: () => Promise<string>,
  use: (url: string) => Promise<void>,
): Promise<string[]> {
  const told: string[] = [];
  const log = { warn: (facts: unknown) => void told.push(JSON.stringify(facts)) };
  const listener = await openScrapeListener({ host: '127.0.0.1', port: 0, render, log });
  try {
    await use(`http://127.0.0.1:${listener.port}/metrics`);
  } finally {
    await listener.close();
  }
  return told;
}

test('many who ask at once get one page, made once; the next one who asks a new one', async () => {
  const pages = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  let made = 0;
  const render = shareUnderWay(() => pages[made++]?.promise ?? Promise.reject(new Error('too many')));
  const asked = Array.from({ length: 5 }, render);
  pages[0]?.resolve('one');
  expect(await Promise.all(asked)).toEqual(Array(5).fill('one'));
  const failing = [render(), render()];
  pages[1]?.reject(new Error('no page'));
  expect((await Promise.allSettled(failing)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(made).toBe(2);
});

test('metrics that cannot be collected are 500, told in the log, without the reason in the answer', async () => {
  const told = await withListener(
    () => Promise.reject(new TypeError('a path that nobody should see')),
    async (url) => {
      const answer = await fetch(url);
      expect([answer.status, await answer.text()]).toEqual([500, 'metrics could not be collected\n']);
    },
  );
  expect(told).toEqual(['{"reason":"TypeError"}']);
});
