#!lua flags=allow-oom
-- close: nothing lands under these wake names any more: a string there makes a late BLMOVE fail.
-- KEYS  1 ready list   2.. wake names
-- ARGV  none
-- Gives the number of jobs that returned to the head of ready
local ready = KEYS[1]
local came = {}

for i = 2, #KEYS do
  if redis.call('TYPE', KEYS[i]).ok == 'list' then came[#came + 1] = KEYS[i] end
end
local kind = redis.call('TYPE', ready).ok
if #came > 0 and kind ~= 'list' and kind ~= 'none' then
  return redis.error_reply('MISTYPE ' .. ready .. ' holds a ' .. kind .. ', not a list')
end

local moved = 0
for _, wake in ipairs(came) do
  while redis.call('LMOVE', wake, ready, 'RIGHT', 'LEFT') do moved = moved + 1 end
end
for i = 2, #KEYS do redis.call('SET', KEYS[i], 'closed', 'EX', 86400) end
return moved
