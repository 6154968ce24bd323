-- 1,000 documents a POST.
local n = 0
function init(args) wrk.method = "POST"; wrk.headers["Content-Type"] = "application/json" end
function request()
  local docs = {}
  for i = 1, 1000 do
    docs[i] = string.format('{"id":%d,"title":"Carol %d","overview":"A woman stuck in a loveless marriage","year":2015}', n * 1000 + i, i)
  end
  n = (n + 1) % 50
  return wrk.format(nil, nil, nil, "[" .. table.concat(docs, ",") .. "]")
end
