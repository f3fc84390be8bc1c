/**
 * What Redis runs in one step. Layout, with `valetkey` for the configured prefix:
 *
 * | key | is |
 * |---|---|
 * | `{valetkey}:r:<key>` | a hash: `v` the value, `e` the expiry in seconds or nothing, `g` its groups |
 * | `{valetkey}:index` | a sorted set, all scores 0, so ordered by name: `a:<key>` for every record, `<group>:<key>` for each of its groups |
 * | `{valetkey}:expiries` | a sorted set of the keys of records that expire, by expiry |
 *
 * The braces are a hash tag: all keys lie in one slot, so every operation is one step on a Redis Cluster too. A
 * gateway reads the store when people sign in and refresh, not on each call, so one shard is plenty.
 *
 * Every key that a script touches is passed in `KEYS`: in a slot that is just being moved, others are not found.
 *
 * Records have no Redis time to live. The time that counts is the gateway's, and Azure's standard eviction policy
 * (`volatile-lru`) throws away exactly the keys that have one: everybody would be signed out (D49).
 */
import { createHash } from 'node:crypto';

export interface Script {
  readonly source: string;
  readonly sha1: string;
}

/** `KEYS`: record, index, expiries. `ARGV[1]`: the record's key, as the driver was given it. */
const parts = `
local record, index, expiries, key = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local function isLive(expiry, now)
  return expiry and (expiry == '' or tonumber(expiry) > tonumber(now))
end
local function unindex(groups)
  for group in string.gmatch(groups or '', '[^,]+') do
    redis.call('ZREM', index, group .. ':' .. key)
  end
end
local function remove()
  unindex(redis.call('HGET', record, 'g'))
  redis.call('ZREM', index, 'a:' .. key)
  redis.call('ZREM', expiries, key)
  redis.call('DEL', record)
end
local function write(value, expiry, groups)
  local before = redis.call('HGET', record, 'g')
  -- The first write is the one that needs memory: Redis refuses a script there or not at all.
  redis.call('HSET', record, 'v', value, 'e', expiry, 'g', groups)
  unindex(before)
  redis.call('ZADD', index, 0, 'a:' .. key)
  for group in string.gmatch(groups, '[^,]+') do
    redis.call('ZADD', index, 0, group .. ':' .. key)
  end
  if expiry == '' then
    redis.call('ZREM', expiries, key)
  else
    redis.call('ZADD', expiries, expiry, key)
  end
end
`;

function script(body: string): Script {
  const source = parts + body;
  return { source, sha1: createHash('sha1').update(source).digest('hex') };
}

export const scripts = {
  /** value, expiry, groups */
  put: script(`
write(ARGV[2], ARGV[3], ARGV[4])
return 1`),

  /** value, expiry, groups, now */
  create: script(`
if isLive(redis.call('HGET', record, 'e'), ARGV[5]) then return 0 end
write(ARGV[2], ARGV[3], ARGV[4])
return 1`),

  /** value, expiry, groups, now, expected */
  replace: script(`
local stored = redis.call('HMGET', record, 'v', 'e')
if not isLive(stored[2], ARGV[5]) or stored[1] ~= ARGV[6] then return 0 end
write(ARGV[2], ARGV[3], ARGV[4])
return 1`),

  /** Gives the record, live or not. */
  take: script(`
local stored = redis.call('HMGET', record, 'v', 'e', 'g')
remove()
return stored`),

  /** now */
  delete: script(`
local wasLive = isLive(redis.call('HGET', record, 'e'), ARGV[2])
remove()
return wasLive and 1 or 0`),

  /** now, group. Only what is still in the group. */
  deleteOfGroup: script(`
local stored = redis.call('HMGET', record, 'e', 'g')
if not stored[2] then
  redis.call('ZREM', index, ARGV[3] .. ':' .. key)
  return 0
end
if not string.find(',' .. stored[2] .. ',', ',' .. ARGV[3] .. ',', 1, true) then return 0 end
remove()
return isLive(stored[1], ARGV[2]) and 1 or 0`),

  /** now. Only what is still expired. */
  deleteExpired: script(`
if isLive(redis.call('HGET', record, 'e'), ARGV[2]) then return 0 end
remove()
return 1`),
} as const;
