-- Every request carries another X-Request-Id, so that no two heads are the same bytes.
local number = 0
local head

function init()
   head = string.gsub(wrk.format("GET"), "\r\n\r\n$", "\r\nX-Request-Id: ")
end

function request()
   number = number + 1
   return head .. number .. "\r\n\r\n"
end
