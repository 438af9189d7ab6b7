#!lua flags=allow-oom
-- forget_reaped: incarnations reaped long ago leave the list.
-- KEYS  1 reaped zset
-- ARGV  1 how long they are kept (ms)
-- Gives the number forgotten
local reaped = KEYS[1]
local keep_ms = ARGV[1]

local kind = redis.call('TYPE', reaped).ok
if kind ~= 'zset' and kind ~= 'none' then
  return redis.error_reply('MISTYPE ' .. reaped .. ' holds a ' .. kind .. ', not a zset')
end

local time = redis.call('TIME')
local before_ms = time[1] * 1000 + math.floor(time[2] / 1000) - keep_ms
return redis.call('ZREMRANGEBYSCORE', reaped, '-inf', string.format('(%.0f', before_ms))
