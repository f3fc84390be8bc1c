import { expect, test } from 'vitest';
import { rightsOf } from '../session/revocations.ts';
import { createOpenStreams } from './open-streams.ts';

function open() {
  const state = { nowSeconds: 1000 };
  const cut: string[] = [];
  const streams = createOpenStreams({ nowMs: () => state.nowSeconds * 1000 });
  const add = (sessionId: string, name: string, rights = 'reader', expiresAtSeconds = 2000) =>
    streams.open({
      principal: {
        tenantId: 't',
        objectId: 'o',
        roles: [rights],
        groups: [],
        scopes: [],
        clientId: 'c',
        sessionId,
      },
      resource: name,
      expiresAtSeconds,
      cut: (reason) => void cut.push(`${name} ${reason}`),
    });
  return { state, cut, streams, add };
}

test('A56: all streams of an ended session are cut, once, and those of others go on', () => {
  const { cut, streams, add } = open();
  add('s1', 'a');
  add('s1', 'b');
  add('s2', 'c');
  expect(streams.cutSession('s1')).toBe(2);
  expect(streams.cutSession('s1')).toBe(0);
  expect(cut).toEqual(['a session_ended', 'b session_ended']);
  expect([...streams.sessionIds()]).toEqual(['s2']);
});

test('A57: a change of rights cuts those that were opened with others', () => {
  const { cut, streams, add } = open();
  add('s1', 'before', 'reader');
  add('s1', 'after', 'writer');
  expect(streams.cutSession('s1', rightsOf({ roles: ['writer'] }))).toBe(1);
  expect(cut).toEqual(['before rights_changed']);
});

test('A50: those whose token has expired are cut when that is asked for; closed ones are forgotten', () => {
  const { state, cut, streams, add } = open();
  const close = add('s1', 'closed', 'reader', 1500);
  add('s1', 'old', 'reader', 1500);
  add('s1', 'new', 'reader', 1501);
  close();
  state.nowSeconds = 1500;
  expect(streams.cutExpired()).toBe(1);
  expect(cut).toEqual(['old token_expired']);
});

test('what a new configuration does not serve is cut, and nothing else', () => {
  const { cut, streams, add } = open();
  add('s1', 'gone');
  add('s1', 'kept');
  expect(streams.cutWhere(({ resource }) => (resource === 'gone' ? 'not_served' : undefined))).toBe(1);
  expect(cut).toEqual(['gone not_served']);
  expect(streams.cutSession('s1')).toBe(1);
});
