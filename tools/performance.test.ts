import { expect, test } from 'vitest';
import { renderPerformance, type Run } from './performance.ts';

const run: Run = {
  date: '2026-01-02',
  machine: { machine: 'two cores' },
  settings: { rounds: '5' },
  targets: [
    { what: 'twice as fast', measured: '2.1 ×', isMet: true },
    { what: 'half the memory', measured: '0.7 ×', isMet: false },
  ],
  tables: [
    {
      title: 'Calls',
      note: 'As they come.',
      columns: ['', 'requests/s'],
      rows: [
        ['nginx, plain', 43_210.5],
        ['gateway', ''],
      ],
    },
  ],
};

test('the page says when and where it was measured, each target with its verdict, and every table', () => {
  const page = renderPerformance(run);
  expect(page).toContain('- date: 2026-01-02\n- machine: two cores\n- rounds: 5\n');
  expect(page).toContain('| twice as fast | 2.1 × | met |\n| half the memory | 0.7 × | **not met** |\n');
  expect(page).toContain(
    '## Calls\n\nAs they come.\n\n|  | requests/s |\n|---|---|\n| nginx, plain | 43,210.5 |\n| gateway |  |\n',
  );
});
