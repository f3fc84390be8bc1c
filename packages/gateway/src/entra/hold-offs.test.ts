import { expect, test } from 'vitest';
import type { EntraRefusal } from './entra.ts';
import { createHoldOffs } from './hold-offs.ts';

const throttled: EntraRefusal = { kind: 'unavailable', description: 'throttled', retryAfterSeconds: 30 };

function open() {
  const time = { nowMs: 1_800_000_000_000 };
  return { time, holdOffs: createHoldOffs({ nowMs: () => time.nowMs }) };
}

test('A17: a session that Entra throttles is left alone for as long as it says, and no other', () => {
  const { time, holdOffs } = open();
  holdOffs.note('one', throttled);
  time.nowMs += 10_000;
  expect(holdOffs.find('one')).toMatchObject({ retryAfterSeconds: 20 });
  expect(holdOffs.find('other')).toBeUndefined();
  time.nowMs += 20_000;
  expect(holdOffs.find('one')).toBeUndefined();
});

test('A57: a clock that is set back holds nobody off until it has caught up', () => {
  const { time, holdOffs } = open();
  holdOffs.note('one', throttled);
  time.nowMs -= 600_000;
  expect(holdOffs.find('one')).toBeUndefined();
});
