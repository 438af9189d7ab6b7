#!lua
-- delay: new jobs that become ready when due. A full Redis refuses them, as it refuses RPUSH.
-- KEYS  1 delayed zset
-- ARGV  1 due (unix seconds)   2.. payloads
-- Gives the number added
local delayed = KEYS[1]
local due = ARGV[1]

local kind = redis.call('TYPE', delayed).ok
if kind ~= 'zset' and kind ~= 'none' then
  return redis.error_reply('MISTYPE ' .. delayed .. ' holds a ' .. kind .. ', not a zset')
end
for n = 2, #ARGV do
  -- A zset holds equal bytes once; a trailing blank, which JSON allows, keeps two equal jobs two.
  local payload = ARGV[n]
  while redis.call('ZADD', delayed, 'NX', due, payload) == 0 do payload = payload .. ' ' end
end
return #ARGV - 1
