#!lua flags=allow-oom
-- dead_drop: forgets one dead letter.
-- KEYS  1 dead zset   2 dead jobs hash   3 the key of this letter if it is a big one
-- ARGV  1 id
-- Gives 1 dropped, 0 no such letter
local dead, jobs, big = unpack(KEYS)
local id = ARGV[1]

local function mistyped(key, want)
  local kind = redis.call('TYPE', key).ok
  if kind ~= want and kind ~= 'none' then
    return redis.error_reply('MISTYPE ' .. key .. ' holds a ' .. kind .. ', not a ' .. want)
  end
end

local fault = mistyped(dead, 'zset') or mistyped(jobs, 'hash')
if fault then return fault end
if not redis.call('ZSCORE', dead, id) then return 0 end

redis.call('UNLINK', big)
redis.call('HDEL', jobs, id, id .. ':meta')
redis.call('ZREM', dead, id)
return 1
