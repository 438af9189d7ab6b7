#!lua flags=allow-oom
-- register: a new worker may fetch from this queue.
-- KEYS  1 workers zset   2 reaped zset
-- ARGV  1 worker   2 lease (ms)
-- Gives 1 registered, 0 it was reaped before
local workers, reaped = KEYS[1], KEYS[2]
local worker, lease_ms = ARGV[1], ARGV[2]

local function mistyped(key, want)
  local kind = redis.call('TYPE', key).ok
  if kind ~= want and kind ~= 'none' then
    return redis.error_reply('MISTYPE ' .. key .. ' holds a ' .. kind .. ', not a ' .. want)
  end
end

local fault = mistyped(workers, 'zset') or mistyped(reaped, 'zset')
if fault then return fault end
if redis.call('ZSCORE', reaped, worker) then return 0 end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', workers, string.format('%.0f', now_ms + lease_ms), worker)
return 1
