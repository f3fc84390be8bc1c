import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@valetkey/core/base/clock';
import { driverSuite } from './driver.suite.ts';
import { openSqliteDriver } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'valetkey-sqlite-'));
const file = { path: '' };

driverSuite('sqlite in memory', async (clock) => openSqliteDriver({ path: ':memory:', clock }));

driverSuite(
  'sqlite file with two connections',
  async (clock: Clock) => {
    file.path = join(mkdtempSync(join(folder, 'run-')), 'deep', 'store.db');
    return openSqliteDriver({ path: file.path, clock });
  },
  async (clock: Clock) => openSqliteDriver({ path: file.path, clock }),
);
