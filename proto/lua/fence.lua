#!lua flags=allow-oom
-- fence: from here on this worker fetches nothing more; the first step of reaping it.
-- KEYS  1 workers zset   2 reaped zset
-- ARGV  1 worker   2 the score its lease was judged by; '' for an own child, whose death was seen
-- Gives 1 fenced, now or before; 0 the score is not the one seen
local workers, reaped = KEYS[1], KEYS[2]
local worker, seen = ARGV[1], ARGV[2]

local function mistyped(key, want)
  local kind = redis.call('TYPE', key).ok
  if kind ~= want and kind ~= 'none' then
    return redis.error_reply('MISTYPE ' .. key .. ' holds a ' .. kind .. ', not a ' .. want)
  end
end

local fault = mistyped(workers, 'zset') or mistyped(reaped, 'zset')
if fault then return fault end

local score = redis.call('ZSCORE', workers, worker)
local was_reaped = not score and redis.call('ZSCORE', reaped, worker)
if seen ~= '' and score ~= seen and not was_reaped then return 0 end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', reaped, string.format('%.0f', now_ms), worker)
redis.call('ZREM', workers, worker)
return 1
