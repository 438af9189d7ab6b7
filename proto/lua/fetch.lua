#!lua flags=allow-oom
-- fetch: leases up to n jobs in all, queue after queue; every queue is judged before the first write.
-- KEYS  per queue: 1 ready list   2 lease list, to be made   3 workers zset   4 paused   5 notify list
-- ARGV  1 n   2 worker   3.. per queue: notify tokens to take beside one a job
-- Gives per queue the count, or -1 lease exists, -2 not registered, -3 paused, -4 wrong type
local left, worker = tonumber(ARGV[1]), ARGV[2]
local answers = {}

-- What a queue has to give (>= 0), or why it gives nothing. pcall answers a wrong type with a table.
local function judge(ready, lease, workers, paused)
  local waiting = redis.pcall('LLEN', ready)
  local score = redis.pcall('ZSCORE', workers, worker)
  if type(waiting) == 'table' or type(score) == 'table' then return -4 end
  if not score then return -2 end
  if redis.call('EXISTS', lease) == 1 then return -1 end
  if redis.call('EXISTS', paused) == 1 then return -3 end
  return waiting
end

-- The copy stays inside the server: no payload comes through here, unless an ACL denies SORT (@dangerous).
local function take(ready, lease, count)
  local taken = redis.pcall('SORT', ready, 'BY', 'nosort', 'LIMIT', 0, count, 'STORE', lease)
  if type(taken) == 'table' then
    for _ = 1, count do redis.call('LMOVE', ready, lease, 'LEFT', 'RIGHT') end
    return count
  end
  redis.call('LTRIM', ready, taken, -1)
  return taken
end

for i = 1, #KEYS / 5 do
  local at = (i - 1) * 5
  answers[i] = judge(KEYS[at + 1], KEYS[at + 2], KEYS[at + 3], KEYS[at + 4])
end
for i = 1, #KEYS / 5 do
  if answers[i] >= 0 then
    local at = (i - 1) * 5
    local count = math.min(answers[i], left)
    if count > 0 then count = take(KEYS[at + 1], KEYS[at + 2], count) end
    answers[i] = count
    left = left - count
    local tokens = count + tonumber(ARGV[2 + i])
    if tokens > 0 then redis.pcall('LPOP', KEYS[at + 5], tokens) end
  end
end
return answers
