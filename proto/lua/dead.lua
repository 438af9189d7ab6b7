#!lua flags=allow-oom
-- dead: a job becomes a dead letter, byte for byte; at most two of the oldest letters make room.
-- KEYS  1 lease list   2 dead zset   3 dead jobs hash
-- ARGV  1 index in the lease   2 id   3 meta (JSON)   4 now (ms)   5 letters kept, 0 for no bound
-- Gives an array: the number dropped, -1 no longer ours; then ids of old big letters, whose keys it cannot name
local lease, dead, jobs = unpack(KEYS)
local i, id, meta, now, max = unpack(ARGV)

local function mistyped(key, want)
  local kind = redis.call('TYPE', key).ok
  if kind ~= want and kind ~= 'none' then
    return redis.error_reply('MISTYPE ' .. key .. ' holds a ' .. kind .. ', not a ' .. want)
  end
end

local function is_free(name)
  return redis.call('HEXISTS', jobs, name) + redis.call('HEXISTS', jobs, name .. ':meta') == 0
end

if redis.call('TYPE', lease).ok ~= 'list' then return {-1} end
local raw = redis.call('LINDEX', lease, i)
if not raw or raw == '' then return {-1} end
local fault = mistyped(dead, 'zset') or mistyped(jobs, 'hash')
if fault then return fault end

-- Two jobs may carry the same uuid: the earlier letter stays.
local name, n = id, 1
while not is_free(name) do
  n = n + 1
  name = id .. '~' .. n
end
redis.call('HSET', jobs, name, raw, name .. ':meta', meta)
redis.call('ZADD', dead, now, name)
redis.call('LSET', lease, i, '')

local answer = {0}
local over = tonumber(max) > 0 and redis.call('ZCARD', dead) - max or 0
if over <= 0 then return answer end
for _, old in ipairs(redis.call('ZRANGE', dead, 0, math.min(over, 2) - 1)) do
  if old == name then
    break -- hosts disagree about the time: the youngest letter stays all the same
  elseif redis.call('HDEL', jobs, old) == 1 then
    redis.call('HDEL', jobs, old .. ':meta')
    redis.call('ZREM', dead, old)
    answer[1] = answer[1] + 1
  else
    answer[#answer + 1] = old
  end
end
return answer
