#!lua flags=allow-oom
-- dead_big: as dead, for a payload too big for Lua: it is copied inside the server to a key of its own.
-- KEYS  1 lease list   2 dead zset   3 dead jobs hash   4.. a key for each id
-- ARGV  1 index in the lease   2 meta (JSON)   3 now (ms)   4.. ids, the first free one is taken
-- Gives an array: 0 kept, -1 no longer ours
local lease, dead, jobs = KEYS[1], KEYS[2], KEYS[3]
local i, meta, now = tonumber(ARGV[1]), ARGV[2], ARGV[3]

local function mistyped(key, want)
  local kind = redis.call('TYPE', key).ok
  if kind ~= want and kind ~= 'none' then
    return redis.error_reply('MISTYPE ' .. key .. ' holds a ' .. kind .. ', not a ' .. want)
  end
end

local function is_free(name)
  return redis.call('HEXISTS', jobs, name) + redis.call('HEXISTS', jobs, name .. ':meta') == 0
end

if redis.call('TYPE', lease).ok ~= 'list' or i >= redis.call('LLEN', lease) then return {-1} end
for _, settled in ipairs(redis.call('LPOS', lease, '', 'COUNT', 0)) do
  if settled == i then return {-1} end
end
local fault = mistyped(dead, 'zset') or mistyped(jobs, 'hash')
if fault then return fault end

local choice = 4
while choice < #KEYS and not is_free(ARGV[choice]) do choice = choice + 1 end
local id, big = ARGV[choice], KEYS[choice]
if not is_free(id) then return redis.error_reply('BUSY no id is free for a dead letter') end

local copied = redis.pcall('SORT', lease, 'BY', 'nosort', 'LIMIT', i, 1, 'STORE', big)
if type(copied) == 'table' then -- an ACL may deny SORT (@dangerous)
  redis.call('DEL', big)
  redis.call('RPUSH', big, redis.call('LINDEX', lease, i))
end
redis.call('HSET', jobs, id .. ':meta', meta)
redis.call('ZADD', dead, now, id)
redis.call('LSET', lease, i, '')
return {0}
