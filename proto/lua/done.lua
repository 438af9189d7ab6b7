#!lua flags=allow-oom
-- done: these places are settled; unlike a plain LSET it works on a full Redis.
-- KEYS  1 lease list
-- ARGV  1.. indexes in the lease
-- Gives 1 settled, 0 no longer ours
local lease = KEYS[1]

if redis.call('TYPE', lease).ok ~= 'list' then return 0 end
local count = redis.call('LLEN', lease)
for _, i in ipairs(ARGV) do
  if tonumber(i) >= count then return 0 end
end
for _, i in ipairs(ARGV) do redis.call('LSET', lease, i, '') end
return 1
