#!lua flags=allow-oom
-- reap_lists: all that is left in a dead worker's leases returns to the head of ready, each lease in order.
-- KEYS  1 ready list   2 notify list   3.. lease lists
-- ARGV  none
-- Gives the number of jobs that returned
local ready, notify = KEYS[1], KEYS[2]
local left = {}

for i = 3, #KEYS do
  if redis.call('TYPE', KEYS[i]).ok == 'list' then left[#left + 1] = KEYS[i] end
end
local kind = redis.call('TYPE', ready).ok
if #left > 0 and kind ~= 'list' and kind ~= 'none' then
  return redis.error_reply('MISTYPE ' .. ready .. ' holds a ' .. kind .. ', not a list')
end

local moved = 0
for _, lease in ipairs(left) do
  redis.call('LREM', lease, 0, '')
  while redis.call('LMOVE', lease, ready, 'RIGHT', 'LEFT') do
    redis.pcall('RPUSHX', notify, 1)
    moved = moved + 1
  end
end
return moved
