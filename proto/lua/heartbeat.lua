#!lua flags=allow-oom
-- heartbeat: this dispatcher lives; who else does?
-- KEYS  1 dispatchers zset
-- ARGV  1 dispatcher   2 how long it counts as alive without another beat (ms)
-- Gives an array of the dispatchers that are alive
local dispatchers = KEYS[1]
local dispatcher, span_ms = ARGV[1], ARGV[2]

local kind = redis.call('TYPE', dispatchers).ok
if kind ~= 'zset' and kind ~= 'none' then
  return redis.error_reply('MISTYPE ' .. dispatchers .. ' holds a ' .. kind .. ', not a zset')
end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', dispatchers, string.format('%.0f', now_ms + span_ms), dispatcher)
redis.call('ZREMRANGEBYSCORE', dispatchers, '-inf', string.format('(%.0f', now_ms))
return redis.call('ZRANGE', dispatchers, 0, -1)
