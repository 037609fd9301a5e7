-- A headless Chromium for specs, driven by chromedriver's WebDriver protocol over curl. It fetches nothing by itself,
-- and ends with the process that started it, whatever ends that.
local core = require("raft").core
local quoted = require("raft.quote").word

local browser = {}

local WAIT_S = 20 -- for what the page shows after a while

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

-- Why there is none here; nil: there is one.
function browser.missing()
  if os.getenv "LD_PRELOAD" then
    return "a browser does not run with a sanitizer's libraries"
  end
  for _, name in ipairs { "chromedriver", "chromium", "curl" } do
    if output_of("command -v " .. name) == "" then
      return name .. " is not installed (`make deps-browser` installs it)"
    end
  end
  return nil
end

local Browser = {}
Browser.__index = Browser

local function call(self, method, path, body)
  local command = ("curl -sS -m 60 -X %s http://127.0.0.1:%s%s"):format(method, self.port, path)
  if body then
    local file = assert(io.open(self.folder .. "/body", "w"))
    file:write(body == true and "{}" or core.json_encode(body))
    file:close()
    command = command .. " -H 'Content-Type: application/json' --data-binary @" .. quoted(self.folder .. "/body")
  end
  local text = output_of(command)
  local answer = text ~= "" and core.json_decode(text)
  if type(answer) ~= "table" then
    error("chromedriver does not answer to " .. path, 0)
  end
  local value = answer.value
  if type(value) == "table" and value.error then
    error(("the browser: %s: %s"):format(value.error, tostring(value.message):match "^[^\n]*"), 0)
  end
  return value
end

-- chromedriver ends with this process, and the browser and their folder with it.
local START = [[cd %s && sh -c '
chromedriver --port=0 >log 2>&1 & driver=$!
(while kill -0 %s && kill -0 $driver; do sleep 0.5; done
kill -9 $driver $(cat browser); rm -rf "$PWD") >/dev/null 2>&1 &
echo $driver']]

local ARGUMENTS = {
  "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
  "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage", "--disable-domain-reliability",
  "--disable-client-side-phishing-detection",
  "--disable-features=Translate,OptimizationHints,MediaRouter,AutofillServerCommunication", "--metrics-recording-only",
  "--password-store=basic", "--use-mock-keychain",
}

--- Starts one.
function browser.start()
  local folder = output_of "mktemp -d":match "%S+"
  local parent = output_of "echo $PPID":match "%d+"
  local self = setmetatable({ folder = folder }, Browser)
  self.driver = output_of(START:format(quoted(folder), parent)):match "%d+"
  for _ = 1, 200 do
    local log = io.open(folder .. "/log")
    self.port = log and log:read("*a"):match "successfully on port (%d+)"
    if log then
      log:close()
    end
    if self.port then
      break
    end
    os.execute "sleep 0.05"
  end
  if not self.port then
    self:stop()
    error("chromedriver does not start", 0)
  end
  local arguments = { "--user-data-dir=" .. folder .. "/profile" }
  for number, argument in ipairs(ARGUMENTS) do
    arguments[number + 1] = argument
  end
  local fine, made = pcall(call, self, "POST", "/session", { capabilities = { alwaysMatch = {
    browserName = "chrome", ["goog:chromeOptions"] = { args = arguments },
    ["goog:loggingPrefs"] = { browser = "ALL", performance = "ALL" },
  } } })
  if not fine then
    self:stop()
    error(made, 0)
  end
  self.session = "/session/" .. made.sessionId
  local file = assert(io.open(folder .. "/browser", "w"))
  file:write(("%.0f"):format(made.capabilities["goog:processID"]))
  file:close()
  return self
end

function Browser:stop()
  if self.session then
    pcall(call, self, "DELETE", self.session)
  end
  local folder = quoted(self.folder)
  os.execute(("kill -9 %s $(cat %s/browser 2>/dev/null) 2>/dev/null; rm -rf %s"):format(self.driver or "", folder,
    folder))
end

function Browser:ask(method, path, body)
  return call(self, method, self.session .. path, body)
end

--- Runs JavaScript in the page; it may `return` a value.
function Browser:run(script, ...)
  return self:ask("POST", "/execute/sync", { script = script, args = { ... } })
end

--- Opens a file.
function Browser:open(path)
  self:ask("POST", "/url", { url = "file://" .. path })
end

function Browser:size(width, height)
  self:ask("POST", "/goog/cdp/execute", { cmd = "Emulation.setDeviceMetricsOverride",
    params = { width = width, height = height, deviceScaleFactor = 1, mobile = false } })
end

--- Dark or light, as the system of a reader would have it.
function Browser:prefers(scheme)
  self:ask("POST", "/goog/cdp/execute", { cmd = "Emulation.setEmulatedMedia",
    params = { features = { { name = "prefers-color-scheme", value = scheme } } } })
end

--- Waits until a script returns something true, and returns it.
function Browser:wait(script, what)
  local limit = os.time() + WAIT_S
  repeat
    local value = self:run(script)
    if value and value ~= core.null then
      return value
    end
    os.execute "sleep 0.02"
  until os.time() > limit
  error("the page does not come to: " .. (what or script), 2)
end

local function element(self, selector)
  local found = self:ask("POST", "/element", { using = "css selector", value = selector })
  return "/element/" .. found["element-6066-11e4-a52e-4f735466cecf"]
end

function Browser:click(selector)
  self:ask("POST", element(self, selector) .. "/click", true)
end

function Browser:type(selector, text)
  self:ask("POST", element(self, selector) .. "/value", { text = text })
end

function Browser:text(selector)
  return self:ask("GET", element(self, selector) .. "/text")
end

--- Presses keys, each of them a character or a name.
local NAMED = { Backspace = "\238\128\131", Enter = "\238\128\135", Escape = "\238\128\140", Left = "\238\128\146",
  Right = "\238\128\148" }

function Browser:press(...)
  local actions = {}
  for _, key in ipairs { ... } do
    actions[#actions + 1] = { type = "keyDown", value = NAMED[key] or key }
    actions[#actions + 1] = { type = "keyUp", value = NAMED[key] or key }
  end
  self:ask("POST", "/actions", { actions = { { type = "key", id = "keys", actions = actions } } })
end

--- Puts a value into a field, as a hand that moves a slider or chooses from a list.
function Browser:set(selector, value)
  self:run([[const field = document.querySelector(arguments[0]);
    field.value = arguments[1];
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));]], selector, value)
end

--- Clicks at a place of the window; or drags from there to another.
function Browser:point(x, y, to_x, to_y)
  local function move(to, by)
    return { type = "pointerMove", duration = 0, x = math.floor(to), y = math.floor(by) }
  end
  local actions = { move(x, y), { type = "pointerDown", button = 0 } }
  if to_x then
    actions[#actions + 1] = move((x + to_x) / 2, (y + to_y) / 2)
    actions[#actions + 1] = move(to_x, to_y)
  end
  actions[#actions + 1] = { type = "pointerUp", button = 0 }
  self:ask("POST", "/actions", { actions = { { type = "pointer", id = "mouse", actions = actions } } })
end

--- Turns the wheel there.
function Browser:wheel(x, y, by)
  self:ask("POST", "/actions", { actions = { { type = "wheel", id = "wheel", actions = {
    { type = "scroll", x = math.floor(x), y = math.floor(y), deltaX = 0, deltaY = by, duration = 0 },
  } } } })
end

--- What the page has said to the console, of that level or worse: a list of texts.
function Browser:complaints()
  local list = {}
  for _, entry in ipairs(self:ask("POST", "/se/log", { type = "browser" })) do
    if entry.level == "SEVERE" or entry.level == "WARNING" then
      list[#list + 1] = entry.message
    end
  end
  return list
end

--- The addresses that were asked for since the last call: a list.
function Browser:requests()
  local list = {}
  for _, entry in ipairs(self:ask("POST", "/se/log", { type = "performance" })) do
    local message = core.json_decode(entry.message).message
    if message.method == "Network.requestWillBeSent" then
      list[#list + 1] = message.params.request.url
    end
  end
  return list
end

--- A picture of the window, as a PNG file.
function Browser:picture(path)
  local file = assert(io.open(self.folder .. "/picture", "w"))
  file:write(self:ask("GET", "/screenshot"))
  file:close()
  os.execute(("base64 -d %s > %s"):format(quoted(self.folder .. "/picture"), quoted(path)))
end

return browser
