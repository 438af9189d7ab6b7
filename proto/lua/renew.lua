#!lua flags=allow-oom
-- renew: these workers live; one that was fenced is never brought back.
-- KEYS  1 workers zset
-- ARGV  1 lease (ms)   2.. workers
-- Gives an array of the workers that are not registered any more
local workers = KEYS[1]
local lease_ms = ARGV[1]

local kind = redis.call('TYPE', workers).ok
if kind ~= 'zset' and kind ~= 'none' then
  return redis.error_reply('MISTYPE ' .. workers .. ' holds a ' .. kind .. ', not a zset')
end

local time = redis.call('TIME')
local until_ms = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + lease_ms)
local missing = {}
for n = 2, #ARGV do
  if redis.call('ZSCORE', workers, ARGV[n]) then
    redis.call('ZADD', workers, 'XX', until_ms, ARGV[n])
  else
    missing[#missing + 1] = ARGV[n]
  end
end
return missing
