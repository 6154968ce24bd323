-- One small document a POST, each with an id of its own.
local n = 0
local thread_id = 0
function setup(thread) thread:set("id", thread_id); thread_id = thread_id + 1 end
function init(args) wrk.method = "POST"; wrk.headers["Content-Type"] = "application/json" end
function request()
  n = n + 1
  return wrk.format(nil, nil, nil, string.format(
    '{"id":%d,"title":"Carol %d","overview":"A woman stuck in a loveless marriage meets another","year":2015}', id * 100000000 + n, n))
end
