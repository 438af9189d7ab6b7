#!lua flags=allow-oom
-- scale: how many workers of a pool the whole fleet wants.
-- KEYS  1 wanted hash
-- ARGV  1 pool   2 processes   3 the total this changes by them when the hash names none; '' when they are the total
-- Gives the new total, never below 0
local wanted = KEYS[1]
local pool, processes, base = ARGV[1], tonumber(ARGV[2]), ARGV[3]

local kind = redis.call('TYPE', wanted).ok
if kind ~= 'hash' and kind ~= 'none' then
  return redis.error_reply('MISTYPE ' .. wanted .. ' holds a ' .. kind .. ', not a hash')
end

local total = processes
if base ~= '' then total = tonumber(redis.call('HGET', wanted, pool) or base) + processes end
total = math.max(total, 0)
redis.call('HSET', wanted, pool, string.format('%.0f', total))
return total
