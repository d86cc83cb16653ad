"""What identifies the code of a recorded training: its syntax tree.

A record names the function that made it and holds a hash of that function's syntax
tree, together with those of everything in `helpers.recipes` that it uses. Comments,
docstrings, formatting and functions that are not used leave the hash as it is; whatever
can change the behaviour changes it.
"""

import ast
import functools
import hashlib
import json

# Parts of a tree that say where something stands, or that differ between versions of
# Python, and never change what the code does.
LEFT_OUT = {"ctx", "kind", "type_comment", "type_ignores", "type_params"}


@functools.cache
def code_sha256(module, functions):
    """Return the hash of some functions and of all that they use in their module.

    Parameters
    ----------
    module : str
        The source of the module.
    functions : tuple of str
        The names of functions that are defined there.

    Raises
    ------
    ValueError
        If the module does not define one of them.
    """
    defined = definitions(module)
    used = set()
    for function in functions:
        if function not in defined:
            raise ValueError(
                f"helpers/recipes.py defines no {function}, expected it for a job: tag"
                " the cell that defines it `export` and run `make export`, or change"
                " the table in tools/recording/jobs.py."
            )
        used |= names_used(function, defined)
    shown = [described(defined[name]) for name in sorted(used)]
    return sha256("\n".join(shown).encode())


@functools.cache
def definitions(module):
    """Return the functions, classes and constants of a module by their names."""
    found = {}
    for statement in ast.parse(module).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found[statement.name] = statement
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = statement
    return found


def names_used(name, defined):
    """Return a name and all others of the module that its definition leads to."""
    used, waiting = set(), [name]
    while waiting:
        name = waiting.pop()
        if name in used:
            continue
        used.add(name)
        for node in ast.walk(defined[name]):
            if isinstance(node, ast.Name) and node.id in defined:
                waiting.append(node.id)
    return used


def described(node):
    """Return a syntax tree as text, without docstrings and without places.

    It is the same for all versions of Python: empty fields, which some of them leave
    out, are left out, too.
    """
    if isinstance(node, ast.AST):
        parts = [type(node).__name__]
        for field, value in sorted(ast.iter_fields(node)):
            if field == "body":
                value = without_docstring(node, value)
            if field not in LEFT_OUT and value is not None and value != []:
                parts.append(f"{field}={described(value)}")
        return f"({' '.join(parts)})"
    if isinstance(node, list):
        return f"[{' '.join(described(item) for item in node)}]"
    return repr(node)


def without_docstring(node, body):
    """Return the statements of a function or class, without its docstring."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        first = body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            return body[1:]
    return body


def value_of(name, defined):
    """Return the value of a constant that is a literal, or dictionaries joined by |.

    Recipes are such constants. Nothing is run for it.
    """
    return evaluate(defined[name].value, defined)


def evaluate(node, defined):
    """Return what an expression of literals, names of constants and | stands for."""
    if isinstance(node, ast.Name):
        return value_of(node.id, defined)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return evaluate(node.left, defined) | evaluate(node.right, defined)
    return ast.literal_eval(node)


def r_code(notebook):
    """Return the exported cells of the R notebook, without comments and empty lines."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    tagged = [c for c in cells if "export" in c["metadata"].get("tags", [])]
    lines = "\n".join("".join(cell["source"]) for cell in tagged).splitlines()
    kept = [line.rstrip() for line in lines if line.strip()]
    return "\n".join(line for line in kept if not line.lstrip().startswith("#"))


def recorded_code(notebook):
    """Return the cells of a notebook tagged `record` as one program in Python."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    tagged = [c for c in cells if "record" in c["metadata"].get("tags", [])]
    return "\n\n\n".join("".join(cell["source"]) for cell in tagged)


def sha256(content):
    """Return the hexadecimal SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()
