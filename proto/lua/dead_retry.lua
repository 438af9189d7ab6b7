#!lua flags=allow-oom
-- dead_retry: a dead letter becomes a ready job again, with its kept bytes or with given ones.
-- KEYS  1 dead zset   2 dead jobs hash   3 the key of this letter if it is a big one   4 ready list   5 notify list
-- ARGV  1 id   2 payload instead of the kept bytes, may be absent
-- Gives 1 moved, 0 no such letter
local dead, jobs, big, ready, notify = unpack(KEYS)
local id, payload = ARGV[1], ARGV[2]

local function mistyped(key, want)
  local kind = redis.call('TYPE', key).ok
  if kind ~= want and kind ~= 'none' then
    return redis.error_reply('MISTYPE ' .. key .. ' holds a ' .. kind .. ', not a ' .. want)
  end
end

local fault = mistyped(dead, 'zset') or mistyped(jobs, 'hash') or mistyped(big, 'list')
  or mistyped(ready, 'list')
if fault then return fault end
if not redis.call('ZSCORE', dead, id) then return 0 end

payload = payload or redis.call('HGET', jobs, id)
if payload then
  redis.call('RPUSH', ready, payload)
elseif not redis.call('LMOVE', big, ready, 'LEFT', 'RIGHT') then
  return 0 -- the record stands, its bytes are gone: leave it to be seen
end
redis.pcall('RPUSHX', notify, 1)
redis.call('UNLINK', big)
redis.call('HDEL', jobs, id, id .. ':meta')
redis.call('ZREM', dead, id)
return 1
