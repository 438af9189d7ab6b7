#!lua flags=allow-oom
-- back: jobs not yet started return to the head of ready, in order; only a suffix, so that no index shifts.
-- KEYS  1 lease list   2 ready list   3 notify list
-- ARGV  1 first index that returns
-- Gives the number of jobs that returned
local lease, ready, notify = unpack(KEYS)
local from = tonumber(ARGV[1])

if redis.call('TYPE', lease).ok ~= 'list' then return 0 end
local kind = redis.call('TYPE', ready).ok
if kind ~= 'list' and kind ~= 'none' then
  return redis.error_reply('MISTYPE ' .. ready .. ' holds a ' .. kind .. ', not a list')
end

local settled, moved = {}, 0
for _, i in ipairs(redis.call('LPOS', lease, '', 'COUNT', 0)) do settled[i] = true end
for i = redis.call('LLEN', lease) - 1, from, -1 do
  if settled[i] then
    redis.call('RPOP', lease)
  else
    redis.call('LMOVE', lease, ready, 'RIGHT', 'LEFT')
    redis.pcall('RPUSHX', notify, 1)
    moved = moved + 1
  end
end
return moved
