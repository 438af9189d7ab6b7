#!lua flags=allow-oom
-- promote: what is due becomes ready, in order of due time.
-- KEYS  1 delayed or reserved zset   2 ready list   3 list to copy through   4 notify list
-- ARGV  1 at most so many
-- Gives the number moved, and when the next one is due (unix seconds) or nil
local due, ready, through, notify = unpack(KEYS)
local n = tonumber(ARGV[1])

local function mistyped(key, want)
  local kind = redis.call('TYPE', key).ok
  if kind ~= want and kind ~= 'none' then
    return redis.error_reply('MISTYPE ' .. key .. ' holds a ' .. kind .. ', not a ' .. want)
  end
end

-- The copy stays inside the server, so that AOF and replicas carry no payload.
local function copy(count)
  local copied = redis.pcall('SORT', due, 'BY', 'nosort', 'LIMIT', 0, count, 'STORE', through)
  if type(copied) ~= 'table' then return end
  redis.call('DEL', through) -- an ACL may deny SORT (@dangerous)
  for _, payload in ipairs(redis.call('ZRANGE', due, 0, count - 1)) do
    redis.call('RPUSH', through, payload)
  end
end

local fault = mistyped(due, 'zset') or mistyped(ready, 'list')
if fault then return fault end

local time = redis.call('TIME')
local now = time[1] .. '.' .. string.format('%06d', time[2])
local count = math.min(redis.call('ZCOUNT', due, '-inf', now), n)
if count > 0 then
  copy(count) -- overwrites what an error may have left there: the zset still holds it
  for _ = 1, count do
    redis.call('LMOVE', through, ready, 'LEFT', 'RIGHT')
    redis.pcall('RPUSHX', notify, 1)
  end
  redis.call('ZREMRANGEBYRANK', due, 0, count - 1)
end
return {count, redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2] or false}
