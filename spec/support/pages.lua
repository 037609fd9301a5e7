-- What is asked of a page that stands in a browser.
local M = {}

function M.settle(b)
  b:wait("return !raftbench.current.waits && !raftbench.current.stale", "a drawn page")
end

function M.open(b, path)
  b:open(path)
  b:wait("return document.documentElement.dataset.ready", "a page that is ready")
  M.settle(b)
end

function M.show_around(b, position, ns)
  b:run([=[const time = raftbench.current.run.time[arguments[0]];
    raftbench.showSpan(time - arguments[1], time + arguments[1]);]=], position, ns)
  M.settle(b)
end

-- Where on the window something drawn is: a mark, or the middle of an arrow.
function M.place_of(b, position)
  return b:run([[const at = arguments[0], box = document.getElementById("canvas").getBoundingClientRect();
    const mark = raftbench.paint.marks.find(one => one.at === at);
    if (mark) return [box.left + mark.x, box.top + mark.y];
    const arrow = raftbench.paint.arrows.find(one => one.at === at);
    return [box.left + (arrow.x0 + arrow.x1) / 2, box.top + (arrow.y0 + arrow.y1) / 2];]], position)
end

function M.count(b, selector)
  return b:run("return document.querySelectorAll(arguments[0]).length", selector)
end

function M.field(b, name)
  return b:text(("#event [data-field=%s] td"):format(name))
end

function M.span(b)
  return b:run "return raftbench.view.to - raftbench.view.from"
end

return M
