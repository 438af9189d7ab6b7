#!lua flags=allow-oom
-- retry: this attempt failed; try again when due. Nothing happens if the lease was lost meanwhile.
-- KEYS  1 lease list   2 delayed zset
-- ARGV  1 index in the lease   2 due (unix seconds)   3 payload with its attempt counted
-- Gives 1 moved, 0 no longer ours
local lease, delayed = KEYS[1], KEYS[2]
local i, due, payload = ARGV[1], ARGV[2], ARGV[3]

if redis.call('TYPE', lease).ok ~= 'list' then return 0 end
local kept = redis.call('LINDEX', lease, i)
if not kept or kept == '' then return 0 end
local kind = redis.call('TYPE', delayed).ok
if kind ~= 'zset' and kind ~= 'none' then
  return redis.error_reply('MISTYPE ' .. delayed .. ' holds a ' .. kind .. ', not a zset')
end

-- A zset holds equal bytes once; a trailing blank, which JSON allows, keeps two equal jobs two.
while redis.call('ZADD', delayed, 'NX', due, payload) == 0 do payload = payload .. ' ' end
redis.call('LSET', lease, i, '')
return 1
