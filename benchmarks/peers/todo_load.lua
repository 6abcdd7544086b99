-- Sends reads of random pages and writes, as the environment says; see benchmarks/cache_loads.py.
-- LuaJIT draws the same numbers in every run: every server is asked for the same.
local pages = tonumber(os.getenv("BENCHMARK_PAGES"))
local step = tonumber(os.getenv("BENCHMARK_STEP"))
local writes = tonumber(os.getenv("BENCHMARK_WRITES"))
local reads = {}
local write

function init()
   reads[1] = wrk.format("GET", "/todo")
   for page = 2, pages do
      reads[page] = wrk.format("GET", "/todo?start=" .. (page - 1) * step)
   end
   local form = {["Content-Type"] = "application/x-www-form-urlencoded"}
   write = wrk.format("POST", "/todo", form, os.getenv("BENCHMARK_FORM"))
end

function request()
   if math.random(100) <= writes then
      return write
   end
   return reads[math.random(pages)]
end
