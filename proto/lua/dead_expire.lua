#!lua flags=allow-oom
-- dead_expire: drops the oldest letters, those that died before an instant or are too many.
-- KEYS  1 dead zset   2 dead jobs hash
-- ARGV  1 before (ms)   2 letters kept, 0 for no bound   3 at most so many a call
-- Gives an array: the number dropped, then ids of old big letters, whose keys it cannot name
local dead, jobs = KEYS[1], KEYS[2]
local before, max, n = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local function mistyped(key, want)
  local kind = redis.call('TYPE', key).ok
  if kind ~= want and kind ~= 'none' then
    return redis.error_reply('MISTYPE ' .. key .. ' holds a ' .. kind .. ', not a ' .. want)
  end
end

local fault = mistyped(dead, 'zset') or mistyped(jobs, 'hash')
if fault then return fault end

local answer = {0}
local over = max > 0 and redis.call('ZCARD', dead) - max or 0
local old = redis.call('ZCOUNT', dead, '-inf', '(' .. before)
local count = math.min(math.max(over, old), n)
if count <= 0 then return answer end
for _, id in ipairs(redis.call('ZRANGE', dead, 0, count - 1)) do
  if redis.call('HDEL', jobs, id) == 1 then
    redis.call('HDEL', jobs, id .. ':meta')
    redis.call('ZREM', dead, id)
    answer[1] = answer[1] + 1
  else
    answer[#answer + 1] = id
  end
end
return answer
