-- A block of code without a language is a command: it gets the ground and the copy button
-- of the others. What cells print is no code.
traverse = "topdown"

function Div(div)
  if div.classes:includes("cell") then
    return div, false
  end
end

function CodeBlock(block)
  if #block.classes == 0 then
    block.classes = { "bash" }
    return block
  end
end
