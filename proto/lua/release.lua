#!lua flags=allow-oom
-- release: one job returns to the head of ready with the given bytes.
-- KEYS  1 lease list   2 ready list   3 notify list
-- ARGV  1 index in the lease   2 payload
-- Gives 1 moved, 0 no longer ours
local lease, ready, notify = unpack(KEYS)
local i, payload = ARGV[1], ARGV[2]

if redis.call('TYPE', lease).ok ~= 'list' then return 0 end
local kept = redis.call('LINDEX', lease, i)
if not kept or kept == '' then return 0 end
local kind = redis.call('TYPE', ready).ok
if kind ~= 'list' and kind ~= 'none' then
  return redis.error_reply('MISTYPE ' .. ready .. ' holds a ' .. kind .. ', not a list')
end

redis.call('LPUSH', ready, payload)
redis.call('LSET', lease, i, '')
redis.pcall('RPUSHX', notify, 1)
return 1
