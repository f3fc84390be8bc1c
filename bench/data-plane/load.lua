-- For wrk: the files named behind `--` are requests as they go over the wire, sent in turn. Prints one line of JSON.
local requests, at = {}, 0

function init(args)
  for index = 1, #args do
    local file = assert(io.open(args[index], "rb"))
    requests[index] = file:read("*a")
    file:close()
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  if failed > 0 then
    io.stderr:write(string.format("%d connect, %d read, %d write, %d status, %d timeout\n", errors.connect, errors.read,
      errors.write, errors.status, errors.timeout))
  end
  io.write(string.format('{"requests":%d,"seconds":%.6f,"failed":%d,"p50":%.1f,"p99":%.1f}\n',
    summary.requests, summary.duration / 1e6, failed, latency:percentile(50), latency:percentile(99)))
end
