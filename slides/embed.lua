-- Quarto wraps each embed in a box that carries the path of the notebook on the machine
-- that renders. Leave the box out, keep what is in it.
function Div(div)
  if div.classes:includes("quarto-embed-nb-cell") then
    return div.content
  end
end

-- The summary of a network has a line between every two layers: without them, its letters
-- can be twice as large.
function CodeBlock(block)
  block.text = block.text:gsub("\n├[^\n]*", "")
  return block
end
