import { expect, test } from 'vitest';
import { createTestClock } from '../../session/sealed-store.suite.ts';
import { createCircuit } from './circuit.ts';

function open(failures = 3) {
  const clock = createTestClock(1_700_000_000_000);
  const changes: string[] = [];
  const circuit = createCircuit({
    config: { failures, openSeconds: 5 },
    clock,
    onChange: (state) => void changes.push(state),
  });
  const enter = () => {
    const attempt = circuit.enter();
    if (!attempt.ok) throw new Error(`open for ${attempt.error.retryAfterSeconds} s`);
    return attempt.value;
  };
  const fail = (times: number) => {
    for (let count = 0; count < times; count += 1) enter().failed();
  };
  return { clock, circuit, changes, enter, fail };
}

test('so many failures in a row open it, and every request hears when to come back', () => {
  const { circuit, fail, clock } = open();
  fail(2);
  expect(circuit.state()).toBe('closed');
  fail(1);
  expect(circuit.state()).toBe('open');
  expect(circuit.enter()).toEqual({ ok: false, error: { retryAfterSeconds: 5 } });
  clock.advance(3);
  expect(circuit.enter()).toEqual({ ok: false, error: { retryAfterSeconds: 2 } });
});

test('an answer in between, be it an error, starts the count anew', () => {
  const { circuit, enter, fail } = open();
  fail(2);
  enter().answered();
  fail(2);
  expect(circuit.state()).toBe('closed');
});

test('one tries when the time is over: its answer closes, its failure opens for as long again', () => {
  const { circuit, enter, fail, clock, changes } = open();
  fail(3);
  clock.advance(5);
  const trial = enter();
  expect(circuit.state()).toBe('half_open');
  expect(circuit.enter(), 'one at a time').toMatchObject({ ok: false });
  trial.failed();
  expect(circuit.enter()).toEqual({ ok: false, error: { retryAfterSeconds: 5 } });
  clock.advance(5);
  enter().answered();
  expect(circuit.state()).toBe('closed');
  fail(2);
  expect(circuit.state(), 'and the count is at zero').toBe('closed');
  expect(changes).toEqual(['open', 'half_open', 'open', 'half_open', 'closed']);
});

test('whose client leaves in the middle of the trial hands it to the next', () => {
  const { enter, fail, clock } = open();
  fail(3);
  clock.advance(5);
  enter().left();
  enter().answered();
});

test('a trial that hangs does not keep the others out for its whole time-out', () => {
  const { circuit, enter, fail, clock } = open();
  fail(3);
  clock.advance(5);
  const hanging = enter();
  clock.advance(5);
  const second = enter();
  second.answered();
  expect(circuit.state()).toBe('closed');
  hanging.failed();
  expect(circuit.state(), 'it failed after an answer had come').not.toBe('closed');
});

test('a slow tool that runs into its time-out says nothing where other calls were answered meanwhile', () => {
  const { circuit, enter, clock } = open();
  const slow = [enter(), enter(), enter(), enter()];
  clock.advance(30);
  enter().answered();
  clock.advance(30);
  for (const each of slow) each.failed();
  expect(circuit.state()).toBe('closed');
});

test('an answer to a request of before closes it too', () => {
  const { circuit, enter, fail } = open();
  const early = enter();
  fail(3);
  early.answered();
  expect(circuit.state()).toBe('closed');
});

test('a health check is let through whatever the state, and counts', () => {
  const { circuit, fail } = open();
  fail(2);
  circuit.probe().failed();
  expect(circuit.state()).toBe('open');
  circuit.probe().failed();
  circuit.probe().answered();
  expect(circuit.state()).toBe('closed');
});

test('a clock that is set back does not keep it open', () => {
  const { enter, fail, clock } = open();
  fail(3);
  clock.advance(-3600);
  enter().answered();
});

test('0: it never opens', () => {
  const { circuit, fail } = open(0);
  fail(1000);
  expect(circuit.state()).toBe('closed');
});
