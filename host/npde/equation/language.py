"""The language of right-hand sides: names and operators, and text read into sympy without evaluating any of it.

Text is Python's arithmetic: ``u_t = Du*laplace(u) - u*v**2 + F*(1 - u)``. Operators (h is the grid spacing):

=====================  ====================================================================  =====
``laplace(e)``         5-point Laplacian (3-point on a row of cells)                         O(h²)
``laplace9(e)``        isotropic 9-point Laplacian, weights (4, 1, -20)/6h²                  O(h²)
``d2_dx2``, ``d2_dy2``  second difference along one axis                                      O(h²)
``d_dx``, ``d_dy``     central difference                                                    O(h²)
``div(c*grad(e))``     conservative, the coefficient averaged onto each face                 O(h²)
``advect(a, b, e)``    a·e_x + b·e_y, central differences                                    O(h²)
``upwind(a, b, e)``    the same, each difference taken from where the flow comes             O(h)
=====================  ====================================================================  =====
"""

from __future__ import annotations

import ast
from fractions import Fraction

import sympy

from npde.errors import ProgramError

OPERATORS = {
    "laplace": 1, "laplace9": 1, "d2_dx2": 1, "d2_dy2": 1, "d_dx": 1, "d_dy": 1, "grad": 1, "div": 1, "advect": 3, "upwind": 3,
}  # fmt: skip
"""Every operator and how many arguments it takes."""

laplace, laplace9, d2_dx2, d2_dy2, d_dx, d_dy, grad, div, advect, upwind = (sympy.Function(name) for name in OPERATORS)

LONGEST = 4000
DEEPEST = 60


def operator_list() -> str:
    """The operators' names, for messages."""
    return ", ".join(OPERATORS)


def parse(text: str, where: str) -> sympy.Expr:
    """The sympy expression of ``text``; raises :class:`ProgramError` for whatever is no right-hand side.

    Nothing is evaluated: the text is Python's syntax tree, of which numbers, names, ``+ - * / **`` and
    the operators above are taken. Decimal numbers are exact: 0.1 is 1/10.
    """
    if len(text) > LONGEST:
        raise ProgramError(f"{where}: a right-hand side has at most {LONGEST} characters, not {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ProgramError(
            f"{where}: {text.strip()[:60]!r} is no expression: {getattr(error, 'msg', error)}"
        ) from error
    return _read(tree.body, text.strip(), where, 0)


def _read(node: ast.expr, text: str, where: str, depth: int) -> sympy.Expr:
    if depth > DEEPEST:
        raise ProgramError(f"{where}: the expression is nested more than {DEEPEST} deep")
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            written = ast.get_source_segment(text, node) or repr(node.value)
            return sympy.Rational(*exact(written.replace("_", ""), where).as_integer_ratio())
        case ast.Name():
            return sympy.Symbol(node.id)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            inside = _read(node.operand, text, where, depth + 1)
            return -inside if isinstance(node.op, ast.USub) else inside
        case ast.BinOp(op=ast.Pow()):
            base, power = _read(node.left, text, where, depth + 1), _read(node.right, text, where, depth + 1)
            if not (power.is_Integer and 0 <= int(power) <= 16):
                raise ProgramError(f"{where}: a power is a whole number from 0 to 16, not {power}")
            return base**power
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div()):
            left, right = _read(node.left, text, where, depth + 1), _read(node.right, text, where, depth + 1)
            match node.op:
                case ast.Add():
                    return left + right
                case ast.Sub():
                    return left - right
                case ast.Mult():
                    return left * right
            if right.is_zero:
                raise ProgramError(f"{where}: divides by zero")
            return left / right
        case ast.Call(func=ast.Name(id=name), keywords=[]):
            check_operator(name, len(node.args), where)
            return sympy.Function(name)(*(_read(item, text, where, depth + 1) for item in node.args))
    raise ProgramError(
        f"{where}: {(ast.get_source_segment(text, node) or type(node).__name__)[:60]!r} is neither a number, a name, "
        f"+ - * / ** nor one of {operator_list()}"
    )


def check_operator(name: str, arguments: int, where: str) -> None:
    """Raises :class:`ProgramError` unless ``name`` is an operator of that many arguments."""
    if name not in OPERATORS:
        raise ProgramError(f"{where}: there is no operator {name!r}; there are {operator_list()}")
    if arguments != OPERATORS[name]:
        raise ProgramError(f"{where}: {name} takes {OPERATORS[name]} argument(s), not {arguments}")


def exact(number: object, where: str) -> Fraction:
    """A number as the fraction its decimal digits say; raises :class:`ProgramError` for anything else."""
    try:
        if isinstance(number, int | Fraction):
            return Fraction(number)
        if isinstance(number, sympy.Rational):
            return Fraction(int(number.p), int(number.q))
        value = Fraction(str(number))
    except (ValueError, ZeroDivisionError, TypeError):
        pass
    else:
        if not value or Fraction(1, 10**30) < abs(value) < 10**30:
            return value
    raise ProgramError(f"{where} is a finite number, not {str(number)[:40]!r}")


def split_equation(text: str) -> tuple[str, str]:
    """``("u", right-hand side)`` of ``u_t = …`` (or ``du/dt = …``, ``u = …``)."""
    left, equals, right = text.partition("=")
    name = left.strip()
    if not equals or not name or not right.strip():
        raise ProgramError(f"an equation reads 'u_t = right-hand side', not {text.strip()[:60]!r}")
    if name.startswith("d") and name.endswith("/dt"):
        name = name[1:-3]
    name = name.removesuffix("_t").removesuffix("_z")
    check_name(name)
    return name, right


def check_name(name: str) -> None:
    """Raises :class:`ProgramError` unless ``name`` can name a field, a constant or a map."""
    if not name.isidentifier() or name in OPERATORS:
        raise ProgramError(f"{name!r} cannot name a field, a constant or a map: it is an operator or no identifier")
